"""What the people of late branches find in their mailboxes."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dr.engine.actions.notify_send import NotifySend
from dr.engine.core.events import Kind
from dr.engine.core.states import RunState
from tests.deadline import wait_for
from tests.integration.notices.scripted_server import Script, mail_server
from tests.made_up_world import START
from tests.unit.runtime.test_sessions import STEPS, Scene

SOURCE = STEPS.replace("b: {}", "b: {}, c: {}, d: {}, e: {}")
OVERDUE = timedelta(hours=2, minutes=1)
BRANCHES = {
    "b": {"title": {"en": "South office", "zh": "城南网点"}, "responsible": "cai"},
    "c": {"title": {"en": "North office", "zh": "城北网点"}, "responsible": "cai"},
    "d": {"title": {"en": "West office", "zh": "城西网点"}, "group": "clerks"},
    "e": {"title": {"en": "East office", "zh": "城东网点"}, "responsible": "eve"},
}


def _scene(port: int | None) -> Scene:
    names = {"ana": "", "bo": "", "cai": "蔡", "dan": "", "eve": ""}
    people = {id_: {"name": {"zh": zh}, "email": f"{id_}@lab.example"} for id_, zh in names.items()}
    groups = {"leadership": {"members": ["ana", "bo"]}, "clerks": {"members": ["dan", "bo"]}}
    inventory: dict[str, Any] = {"people": people, "people_groups": groups, "branches": BRANCHES}
    if port is not None:
        inventory["mail"] = {"host": "127.0.0.1", "port": port, "from": "dr@lab.example"}
    return Scene(SOURCE, letters=NotifySend(), **inventory)


def _close(scene: Scene) -> None:
    scene.all_hand_in("b", "c", "d", "e")
    wait_for(lambda: bool(scene.ended), what="the run has ended")


def test_each_person_finds_one_letter_in_both_languages_and_leadership_the_whole_list() -> None:
    script = Script()
    with mail_server(script) as port:
        scene = _scene(port)
        scene.world.record = replace(scene.world.record, mode="drill")
        with scene.at_work():
            scene.world.clock.forward(OVERDUE)
            scene.wait(Kind.RECONCILE_REMINDED, 2)
            first, script.taken = script.taken, []
            scene.world.clock.forward(timedelta(hours=1, minutes=1))
            scene.wait(Kind.RECONCILE_REMINDED, 4)
            _close(scene)
    who = [address.partition("@")[0] for address, _ in first]
    assert who == ["cai", "dan", "bo", "eve"]
    letter = first[0][1]
    subject = "催办：2 个网点业务台账逾期未交 / Overdue: the ledgers of 2 branches"
    assert letter["Subject"].startswith("【演练】[DRILL] ")
    assert letter["Subject"].endswith(subject)
    text = letter.get_content().replace("\r\n", "\n")
    chinese, english = text.split("\n--\n")
    due = (START + timedelta(hours=2)).astimezone().isoformat(sep=" ", timespec="minutes")
    assert f"  - b 城南网点\n  - c 城北网点\n提交期限为 {due}，" in chinese
    assert f"  - b South office\n  - c North office\nIt was due at {due}. " in english
    command = "  dr reconcile load R-20261101-abcde BRANCH FILE --by cai"
    assert command in chinese
    assert command in english
    assert "d West office" not in text
    second = {address.partition("@")[0]: letter for address, letter in script.taken}
    assert list(second) == ["cai", "dan", "bo", "eve", "ana"]
    assert len(script.taken) == 5, "bo, who is of a branch and of leadership, gets one letter"
    assert "  - d West office\r\n  - b South office\r\n" in second["bo"].get_content()
    assert "dr reconcile waive" in second["ana"].get_content()
    ids = [letter["Message-ID"] for _, letter in (*first, *script.taken)]
    assert len(set(ids)) == len(ids), "a server must not take the second reminder for the first"


def test_what_the_server_says_of_each_person_is_written_down() -> None:
    script = Script(
        recipients={"cai@lab.example": ["550 no such user"], "dan@lab.example": ["451 try later"]}
    )
    with mail_server(script) as port:
        scene = _scene(port)
        with scene.at_work():
            scene.world.clock.forward(OVERDUE)
            scene.wait(Kind.RECONCILE_REMINDED, 2)
            _close(scene)
    assert scene.told() == [
        {"fate": "accepted", "because": "", "people": ["bo", "eve"]},
        {"fate": "later", "because": "451 try later", "people": ["dan"]},
        {"fate": "refused", "because": "550 no such user", "people": ["cai"]},
    ]


def test_without_a_mail_server_the_reason_is_written_once_and_the_run_goes_on() -> None:
    scene = _scene(None)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        _close(scene)
    because, people = "no mail server is declared", ["cai", "dan", "bo", "eve"]
    assert scene.told() == [{"fate": "refused", "because": because, "people": people}]
    assert scene.ended == [RunState.SUCCEEDED]


def test_a_server_that_is_not_there_is_not_asked_for_every_person() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        scene = _scene(taken.getsockname()[1])
        with scene.at_work():
            scene.world.clock.forward(OVERDUE)
            scene.wait(Kind.RECONCILE_REMINDED, 2)
            _close(scene)
    told = {each["because"]: each["people"] for each in scene.told()}
    assert told["the mail server answered nobody before"] == ["eve"]
    assert sorted(map(len, told.values())) == [1, 3]
    assert scene.ended == [RunState.SUCCEEDED]
