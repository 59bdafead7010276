"""Write docs/settings.md and environments/schema.json.

python -m stacks.settings
"""

import json
from pathlib import Path

from environments import FOLDER
from stacks.settings.reference import markdown, schema

PAGE = FOLDER.parent / "docs" / "settings.md"
SCHEMA = FOLDER / "schema.json"


def files() -> dict[Path, str]:
    """Each generated file with its text."""
    return {PAGE: markdown(), SCHEMA: json.dumps(schema(), indent=2) + "\n"}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
