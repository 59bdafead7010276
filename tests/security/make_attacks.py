"""Build the attacks and write them to files: python -m tests.security.make_attacks"""

from tests.security import batch_attacks, jpeg_attacks, other_attacks, png_attacks, webp_attacks
from tests.security.forge import ATTACKS, FOLDER, Attack

MODULES = (batch_attacks, jpeg_attacks, other_attacks, png_attacks, webp_attacks)


def all_attacks() -> list[Attack]:
    """The attacks of every module, sorted by name."""
    return sorted(ATTACKS.values(), key=lambda attack: attack.name)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for attack in all_attacks():
        attack.write()
    size = sum(attack.path.stat().st_size for attack in all_attacks())
    print(f"{len(ATTACKS)} attacks in {FOLDER}, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
