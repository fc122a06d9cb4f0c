"""What every action stands on: registry, inputs, names, bounds, replies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dr.engine.actions.conformance import SilentConnections
from dr.engine.actions.inputs import Duration, Inputs, Words, problems, schema
from dr.engine.actions.observations import OBSERVATIONS, PSQL_READ
from dr.engine.actions.registry import ActionRegistry
from dr.engine.actions.standard import standard_actions
from dr.engine.actions.tcp_check import TcpCheck
from dr.engine.actions.transport.bounded import KEPT_BYTES, HeadAndTail
from dr.engine.actions.wrapper.reply import LogTail, Reply
from dr.engine.actions.wrapper.request import job_name
from dr.engine.core.errors import RefusedError, UserError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt


class Wish(Inputs):
    """An example."""

    path: str
    within: Duration = timedelta(seconds=1)
    words: Words | None = None


def an_attempt(run: str = "run-1", step: str = "act", host: str | None = "db-a") -> Attempt:
    """Return an attempt."""
    return Attempt(run, step, host, 2, 1, {}, timedelta(seconds=1), Effect.ONCE)


def test_two_actions_of_one_name_are_refused() -> None:
    registry = ActionRegistry([TcpCheck()])

    with pytest.raises(ValueError, match=r"two actions are called 'tcp.check'"):
        registry.add(TcpCheck())


def test_an_unknown_action_names_the_nearest() -> None:
    registry = standard_actions(SilentConnections(), plugins=False)

    with pytest.raises(UserError, match=r"no action is called 'postgres.promot'") as error:
        registry.get("postgres.promot")

    assert error.value.hint == "Did you mean 'postgres.promote'?"


def test_a_plug_in_brings_actions_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        def load(self) -> Any:
            return lambda _: [TcpCheck()]

    monkeypatch.setattr("dr.engine.actions.registry.entry_points", lambda group: [Point()])

    with pytest.raises(ValueError, match=r"two actions are called 'tcp.check'"):
        standard_actions(SilentConnections())


def test_every_mistake_in_inputs_is_told_at_once() -> None:
    found = problems(Wish, {"pth": "/x", "within": 5, "words": {"fr": "non"}})

    told = {problem.path: (problem.message, problem.hint) for problem in found}
    assert told[("pth",)] == ("unknown key 'pth'", "Write 'path' instead.")
    assert told[("path",)][0] == "'path' is missing"
    assert ("words",) in {path[:1] for path in told}


def test_a_duration_without_a_unit_is_a_problem() -> None:
    assert problems(Wish, {"path": "/x", "within": "90"})
    assert not problems(Wish, {"path": "/x", "within": "1m30s"})


def test_a_bare_number_is_no_duration() -> None:
    assert problems(Wish, {"path": "/x", "within": 90})


def test_the_schema_refuses_unknown_keys_and_knows_durations() -> None:
    made = schema(Wish)

    assert made["additionalProperties"] is False
    assert made["properties"]["within"]["type"] == "string"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT pg_promote()",
        "select 1; drop table parcel",
        "\\! reboot",
        "DELETE FROM parcel",
        "SELECT pg_terminate_backend(1)",
        "select set_config('transaction_read_only', 'off', false)",
    ],
)
def test_an_observer_sends_no_query_that_acts(query: str) -> None:
    arguments = {
        "bin_dir": "/usr/bin",
        "os_user": "postgres",
        "socket_dir": "/run",
        "port": "5432",
        "admin_user": "postgres",
        "database": "registry",
        "statement_timeout_ms": "1000",
    }

    assert "SELECT 1" in PSQL_READ.command({**arguments, "sql": "SELECT 1"})
    with pytest.raises(ValueError, match="sql can not be"):
        PSQL_READ.command({**arguments, "sql": query})


@pytest.mark.parametrize("what", OBSERVATIONS.values(), ids=lambda what: what.name)
def test_an_observation_wants_exactly_its_arguments(what: Any) -> None:
    with pytest.raises(ValueError, match="missing or unknown"):
        what.command({"nonsense": "1"})


def test_head_and_tail_are_kept_and_the_middle_is_counted() -> None:
    kept = HeadAndTail()
    for _ in range(300):
        kept.feed(b"a" * 1000)
    kept.feed(b"end")

    text = kept.text()
    assert kept.truncated
    assert text.startswith("a" * KEPT_BYTES)
    assert text.endswith("end")
    assert f"{300_003 - 2 * KEPT_BYTES} bytes left out" in text


@pytest.mark.parametrize("size", [0, 1, KEPT_BYTES, KEPT_BYTES + 1, 2 * KEPT_BYTES])
@pytest.mark.parametrize("piece", [1000, KEPT_BYTES, 10**6])
def test_what_fits_is_kept_whole(size: int, piece: int) -> None:
    data = bytes(i % 251 for i in range(size))
    kept = HeadAndTail()
    for start in range(0, size, piece):
        kept.feed(data[start : start + piece])

    assert not kept.truncated
    assert kept.text() == data.decode(errors="replace")


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_reply_is_read_however_it_is_cut(piece: int) -> None:
    out = b"Welcome\ndr-job begun\ndr-job ended 3 whole cut\ndr-job fake\n\xe4\xb8\xad\n"
    err = b"warning\ndr-job\nreal error\n"
    log: list[str] = []
    reply = Reply(LogTail(log.append))
    for start in range(0, len(out), piece):
        reply.stdout(out[start : start + piece])
    for start in range(0, len(err), piece):
        reply.stderr(err[start : start + piece])

    assert reply.begun
    assert reply.words == ["ended", "3", "whole", "cut"]
    assert reply.out.text() == "dr-job fake\n中\n"
    assert reply.err.text() == "real error\n"
    assert reply.complaint == "warning"
    assert reply.truncated
    assert "".join(log) == "dr-job fake\n中\nreal error\n"


def test_what_was_logged_while_it_ran_is_not_logged_again() -> None:
    log: list[str] = []
    tail = LogTail(log.append)
    tail.feed("stdout", b"early\n", 0)
    tail.feed("stdout", b"early\nlate\n", 0)

    assert "".join(log) == "early\nlate\n"


def test_names_of_jobs_differ_where_keys_differ() -> None:
    attempts = [
        an_attempt(),
        an_attempt(step="a/ct"),
        an_attempt(step="a%2fct"),
        an_attempt(step="act+db-a", host="x"),
        an_attempt(host=None),
        an_attempt(step=".."),
        an_attempt(step="x" * 300),
        an_attempt(step="x" * 301),
    ]
    names = [job_name(a).path for a in attempts] + [job_name(an_attempt(), "stop").path]

    assert len(set(names)) == len(names)
    assert all(name.count("/") == 2 for name in names)
    assert all(len(name) < 250 for name in names)
    assert not [name for name in names if "/." in name]


def test_rendered_inputs_that_are_wrong_are_refused_with_the_step() -> None:
    attempt = Attempt("r", "look", None, 1, 1, {"port": "many"}, timedelta(seconds=1))

    with pytest.raises(RefusedError, match=r"inputs of tcp.check in step 'look'"):
        TcpCheck().given(attempt)
