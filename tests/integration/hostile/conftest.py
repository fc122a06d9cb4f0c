"""A server, connections to it, and a workspace with a playbook folder."""

from __future__ import annotations

from tests.integration.transport.conftest import connections, sshd, world

__all__ = ["connections", "sshd", "world"]
