"""A server and connections to it for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.transport.ssh import SshConnections
from tests.integration.postgres_server import postgres_server
from tests.sshd import SSHD, Sshd, running_sshd

__all__ = ["postgres_server"]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server of the test's own."""
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    with running_sshd(tmp_path) as server:
        yield server


@pytest.fixture
def connections(sshd: Sshd, tmp_path: Path) -> Iterator[SshConnections]:
    """Connections that may act on host ``target``."""
    made = SshConnections(sshd.inventory(), tmp_path)
    yield made
    made.close()


@pytest.fixture
def world(sshd: Sshd) -> RecordingWorld:
    """A world that remembers handles and output."""
    return RecordingWorld(sshd.inventory())
