"""A real MariaDB for tests, on a Unix socket only; ended by its process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadline import wait_for


@contextlib.contextmanager
def mariadb_server() -> Iterator[Path]:
    """Run a server of one's own; yield its socket.  It asks nobody for a password."""
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    if server is None:
        pytest.skip("no MariaDB server is installed (Debian: mariadb-server-core)")
    folder = Path(tempfile.mkdtemp(prefix="dr-my-", dir="/tmp"))
    user = f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', '')}"
    try:
        (folder / "data").mkdir()
        path = folder / "socket"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "--no-defaults", f"--datadir={folder}/data", f"--socket={path}", user,
                 "--skip-networking", f"--pid-file={folder}/pid", "--skip-grant-tables"],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(lambda: _takes(path), 60, "the test's MariaDB")
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _takes(path: Path) -> bool:
    # asked with a socket of our own: PyMySQL leaves one open when nobody listens yet
    with socket.socket(socket.AF_UNIX) as wire, contextlib.suppress(OSError):
        wire.connect(str(path))
        return True
    return False
