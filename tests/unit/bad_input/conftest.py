"""The command line in this process, as the unit tests of it have it."""

from __future__ import annotations

from tests.unit.cli.conftest import dr, journalled, surroundings, workspace

__all__ = ["dr", "journalled", "surroundings", "workspace"]
