"""The processes of a local AWS, and the ports on which they listen. Linux only: it reads /proc."""

from pathlib import Path


def processes_of(folder: Path) -> set[int]:
    """Every process whose TMPDIR is in the folder of a local AWS: the engine, and all that it started."""
    variable = f"TMPDIR={folder}/".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and any(
                v.startswith(variable) for v in (entry / "environ").read_bytes().split(b"\0")
            ):
                found.add(int(entry.name))
        except OSError:  # it has ended, or it is another user's
            continue
    return found


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Address and port of every TCP socket on which these processes listen."""
    own = set()
    for pid in pids:
        try:
            own |= {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in own:
                address, port = local.split(":")
                found.add((address, int(port, 16)))
    return found
