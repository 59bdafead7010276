# Runs the program in its arguments in network and mount namespaces of its own, in which every IP address leads to the
# program itself and the name server is 127.0.0.1. $1: an empty folder. Exit code 97: this machine does not allow it.
set -u
folder=$1
shift
printf 'nameserver 127.0.0.1\nsearch internal.example\noptions timeout:1 attempts:2\n' > "$folder/resolv.conf"
printf 'hosts: dns\n' > "$folder/nsswitch.conf"
{
  ip link set lo up &&
    ip route add local 0.0.0.0/0 dev lo &&
    ip -6 route add local ::/0 dev lo &&
    mount --bind "$folder/resolv.conf" /etc/resolv.conf &&
    mount --bind "$folder/nsswitch.conf" /etc/nsswitch.conf
} || exit 97
exec "$@"
