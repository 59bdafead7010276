#!/bin/bash
# Runs once, as root, when the host is launched. What is in braces is CloudFormation's; the shell has none here.
set -euo pipefail

# Plain `python3` is the one with torch, CUDA and Kennel's packages, in every login shell.
[ -e ${Python} ] || ln -s python ${Python}
echo 'PATH=$HOME/.kennel/bin:$(dirname ${Python}):$PATH' > /etc/profile.d/kennel.sh

cat > /usr/local/bin/kennel-code <<'SCRIPT'
#!/bin/bash
# Puts the code of the latest deploy in your home folder, and the packages that it needs into ~/.kennel. That is an
# environment of your own: what the image installed for torch stays as it is, and is visible there.
set -euo pipefail
cd ~
uri=$(aws ssm get-parameter --region ${Region} --name ${CodeParameter} --query Parameter.Value --output text)
aws s3 cp --only-show-errors "$uri" - | tar -xz
ln -sfn training/solution.py solution.py
if [ ! -e .kennel/torch ]; then
  ${Python} -m venv --without-pip .kennel
  packages='import site; print(*site.getsitepackages(), sep="\n")'
  ${Python} -c "$packages" > "$(.kennel/bin/python3 -c "$packages" | head -1)/torch.pth"
  touch .kennel/torch
fi
.kennel/bin/python3 -m pip install --quiet --require-hashes --requirement training/requirements-host.txt
SCRIPT

cat > /usr/local/bin/kennel-data <<'SCRIPT'
#!/bin/bash
# Brings the photos from the bucket to ~/dogImages, where solution.py looks for them.
set -euo pipefail
aws s3 sync --only-show-errors ${DataUri} ~/dogImages
SCRIPT

cat > /usr/local/bin/kennel-save <<'SCRIPT'
#!/bin/bash
# Copies what was trained to a folder of its own in the bucket: the volume goes when the host goes.
set -euo pipefail
target=${ResultsUri}$(date -u +%Y%m%dT%H%M%SZ)/
aws s3 cp --recursive --only-show-errors --exclude 'checkpoints/*' ~/TrainedModels "$target"
echo "TrainedModels is in $target"
SCRIPT

chmod 755 /usr/local/bin/kennel-code /usr/local/bin/kennel-data /usr/local/bin/kennel-save
cat > /etc/motd <<'TEXT'
Kennel's training host. It is billed while it runs, and stops itself when idle.
  kennel-code           the code of the latest deploy, into ~, and its packages
  kennel-data           the photos of the bucket, into ~/dogImages
  python3 solution.py   trains; the result is in ~/TrainedModels
  kennel-save           copies the result to the bucket
TEXT

# The role of a host that has just been made may not work yet.
for attempt in 1 2 3 4 5 6; do
  runuser -u ${User} -- env HOME=/home/${User} kennel-code && break
  [ "$attempt" -lt 6 ] || exit 1
  sleep 10
done
runuser -u ${User} -- env HOME=/home/${User} kennel-data || echo "no photos in the bucket yet; run kennel-data later"
