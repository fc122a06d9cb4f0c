"""What an old fence proof is worth when its host does not answer any more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dr.engine.actions.postgres.proof import recheck_proof
from dr.engine.core.errors import RetryableError
from dr.engine.core.values import UNKNOWN

PROOF = {"kind": "proof", "means": "stopped", "host": "db-a", "system_id": "42"}
SERVICE: Any = SimpleNamespace(id="registry", hosts=["db-a", "db-b"])


class Silent:
    """A host that does not answer."""

    host = "db-a"

    def __getattr__(self, _name: str) -> Any:
        def ask(*_arguments: Any, **_more: Any) -> Any:
            raise RetryableError("no route to host", reason="unreachable")

        return ask


CONNECTIONS: Any = SimpleNamespace(observer=lambda _host: Silent())


@pytest.mark.parametrize("survives", [False, None, "yes"])
def test_a_proof_that_would_not_outlive_a_reboot_is_unknown_once_the_host_is_silent(
    survives: object,
) -> None:
    proof = {**PROOF, "survives_reboot": survives}
    assert recheck_proof(proof, CONNECTIONS, SERVICE, {}).holds is UNKNOWN


def test_a_proof_that_outlives_a_reboot_holds_although_the_host_is_silent() -> None:
    assert recheck_proof({**PROOF, "survives_reboot": True}, CONNECTIONS, SERVICE, {}).holds is True


def test_a_proof_for_another_services_host_does_not_hold() -> None:
    proof = {**PROOF, "host": "web-1", "survives_reboot": True}
    assert recheck_proof(proof, CONNECTIONS, SERVICE, {}).holds is False
