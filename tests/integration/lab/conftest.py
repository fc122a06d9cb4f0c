"""Labs for the tests of the lab itself."""

from __future__ import annotations

from dr.lab.testing import fresh_lab, lab_directory, lab_factory, small_lab

__all__ = ["fresh_lab", "lab_directory", "lab_factory", "small_lab"]
