"""The playbook's process: started once, in a session of its own, found again by its directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Like the remote wrapper: who makes `claim` first decides whether it starts; pid, start time and
# boot id are on disk before it does.
_LAUNCH = """
cd "$1" && mkdir claim || exit 125
read -r line < /proc/$$/stat; rest=${line##*) }
playbook=$2; python=$3
set -- $rest
read -r boot < /proc/sys/kernel/random/boot_id
printf '%s %s %s\\n' $$ "${20}" "$boot" > process
sync process .
exec "$python" -m ansible_runner run . -p "$playbook" -i run --quiet
"""


def launch(folder: Path, playbook: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the playbook; it goes on when this process ends."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    with (folder / "runner.log").open("ab") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCH, "dr", str(folder), str(playbook), sys.executable],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PATH": path, **environment},
        )


def withdraw(folder: Path) -> bool:
    """Make sure that it can not start any more; False when it did start."""
    try:
        (folder / "claim").mkdir(parents=True)
    except FileExistsError:
        return (folder / "void").exists()
    (folder / "void").touch()
    return True


def is_alive(folder: Path) -> bool:
    """Whether the very process that was started still runs."""
    try:
        pid, start, boot = (folder / "process").read_text().split()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return False
    return fields[19] == start and boot == boot_id() and fields[0] != "Z"


def exit_code(folder: Path) -> int | None:
    """Return how the playbook ended; None while nobody saw it end."""
    try:
        return int((folder / "artifacts" / "run" / "rc").read_text())
    except (OSError, ValueError):
        return None


def boot_id() -> str:
    """Return the boot id of the engine's machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
