"""Print the profile that an environment's file names, or nothing; `make` exports it for CDK and for kennel.

Without a name: of the environment in KENNEL_ENV, or the default one.

python -m environments [NAME]
"""

import os
import sys

from contract.text import indented
from contract.utf8_mode import start_in_utf8_mode
from environments import EnvironmentRefusedError, load
from environments.agreement import check_shell, chosen


def main(arguments: list[str]) -> int:
    try:
        environment = load(chosen(arguments[0] if arguments else None, os.environ))
        check_shell(environment, os.environ)
    except EnvironmentRefusedError as error:
        print(f"kennel: {indented(error)}", file=sys.stderr)
        return 1
    print(environment.profile)
    return 0


if __name__ == "__main__":
    start_in_utf8_mode()
    sys.exit(main(sys.argv[1:]))
