"""What scripts/setup says to a user who may not install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "scripts/setup"
TOOLS = ("bash", "dirname", "flock", "grep", "cat", "sha256sum", "head")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a checkout on a machine where hardly a program is found."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SETUP, tmp_path / "scripts/setup")
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    _program(tmp_path, "id", "echo 1000")
    _program(tmp_path, "apt-get", "echo apt was called; exit 1")
    return tmp_path


def _program(bare: Path, name: str, body: str) -> None:
    path = bare / "bin" / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def _set_up(bare: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [bare / "scripts/setup", *words],
        env={"PATH": str(bare / "bin")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_sudo_the_user_learns_what_root_is_to_type(bare: Path) -> None:
    done = _set_up(bare)

    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: system packages are missing and this is neither root")
    assert f"'{bare}/scripts/setup --packages' as root" in hint
    assert "pgbackrest" in hint


def test_a_sudo_that_refuses_is_asked_once_and_ends_in_a_hint(bare: Path) -> None:
    _program(bare, "sudo", f'echo "sudo $*" >>{bare}/asked; exit 1')

    done = _set_up(bare)

    assert done.returncode == 1
    error, hint = done.stderr.splitlines()[-2:]
    assert error == "error: system packages are missing and sudo does not let this user install"
    assert hint.startswith("hint: ")
    assert (bare / "asked").read_text().splitlines() == ["sudo -n true", "sudo true"]


def test_an_unknown_option_is_refused(bare: Path) -> None:
    done = _set_up(bare, "--package")

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: scripts/setup knows no '--package'"
