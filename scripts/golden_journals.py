#!/usr/bin/env python3
"""Keep journals as this release writes them, for the tests of every release that follows.

    .venv/bin/python scripts/golden_journals.py

Writes tests/golden/journals/VERSION/, one SQL dump a scene beside what is true outside.  Run it
when the version was raised, and again when a scene was added; what is kept is never written again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dr.cli.app import VERSION  # noqa: E402
from tests.golden.journals.scenes import HERE, SCENES, Kept, dump, play  # noqa: E402


def main() -> None:
    """Write the scenes that are not kept yet."""
    folder = HERE / VERSION
    for scene, cuts in SCENES.items():
        if (folder / f"{scene}.sql").exists():
            continue
        with tempfile.TemporaryDirectory() as place:
            world = Kept(Path(place) / "journal.sqlite3")
            play(world, cuts)
            dump(world, scene, folder)
        sys.stdout.write(f"{folder.relative_to(ROOT) / scene}.sql\n")


if __name__ == "__main__":
    main()
