"""What a mail server may answer, and what dr then knows."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dr.engine.actions.notify_send import NotifySend
from dr.engine.core.errors import FailedError, LostContactError, RefusedError, RetryableError
from dr.engine.core.ports import Attempt, Presence
from tests.integration.notices.scripted_server import Script, mail_server
from tests.unit.incidents.small_world import SmallWorld, again, attempt
from tests.unit.incidents.story import INVENTORY, record

CHEN, LI = "chen.wei@lab.example", "li.na@lab.example"


@dataclass
class Office:
    """The action, its world and the server."""

    script: Script
    world: SmallWorld
    action: NotifySend


@pytest.fixture
def office() -> Iterator[Office]:
    script = Script()
    with mail_server(script) as port:
        yield Office(script, SmallWorld(_inventory(port)), NotifySend())


def _inventory(port: int, kind: str = "production") -> dict[str, Any]:
    people = {
        "chen.wei": {"name": {"en": "Chen Wei", "zh": "陈伟"}, "email": CHEN},
        "li.na": {"name": {"en": "Li Na", "zh": "李娜"}, "email": LI},
    }
    return {
        **INVENTORY,
        "environment": {"name": kind, "kind": kind},
        "people": people,
        "people_groups": {"leadership": {"members": ["chen.wei", "li.na"]}},
        "mail": {"host": "127.0.0.1", "port": port, "from": "dr@lab.example"},
    }


def _notice(**more: Any) -> Attempt:
    return attempt(
        **{
            "to": {"group": "leadership"},
            "subject": {"en": "Storage failure", "zh": "存储故障"},
            "text": {"en": "Approve or reject.\n.dot", "zh": "请批准或驳回。"},
            **more,
        }
    )


def test_everybody_in_the_group_gets_one_letter_in_both_languages(office: Office) -> None:
    outcome = office.action.perform(_notice(), office.world)
    assert outcome.outputs["accepted"] == ["chen.wei", "li.na"]
    assert [address for address, _ in office.script.taken] == [CHEN, LI]
    letter = office.script.taken[0][1]
    assert letter["Subject"] == "【生产 PRODUCTION】存储故障 / Storage failure"
    text = letter.get_content()
    assert "请批准或驳回。" in text
    assert "\n.dot" in text.replace("\r\n", "\n")
    assert letter["To"] == "陈伟 <chen.wei@lab.example>"


def test_the_people_of_the_branches_are_told_once_however_many_branches_are_theirs(
    office: Office,
) -> None:
    branches = {
        "north": {"responsible": "chen.wei", "group": "clerks"},
        "south": {"responsible": "chen.wei", "group": "clerks"},
        "shut": {},
    }
    groups = {"clerks": {"members": ["li.na"]}}
    world = SmallWorld({**office.world.inventory, "branches": branches, "people_groups": groups})
    heads = office.action.perform(_notice(to={"branches": "responsible"}), world)
    assert heads.outputs["accepted"] == ["chen.wei"]
    everybody = office.action.perform(
        _notice(to={"branches": "everybody"}), SmallWorld(world.inventory)
    )
    assert everybody.outputs["accepted"] == ["chen.wei", "li.na"]
    assert [address for address, _ in office.script.taken] == [CHEN, CHEN, LI]


def test_a_drill_and_another_environment_stand_in_front_of_the_subject(office: Office) -> None:
    office.world.inventory = {**_inventory(0, "staging"), "mail": office.world.inventory["mail"]}
    office.world.row = record(mode="drill")
    office.action.perform(_notice(), office.world)
    subject = office.script.taken[0][1]["Subject"]
    assert subject.startswith("【演练】[DRILL] [staging] ")


def test_a_server_that_is_busy_once_gets_the_letter_at_the_next_attempt(office: Office) -> None:
    office.script.recipients[LI] = ["451 try later"]
    first = _notice()
    with pytest.raises(RetryableError, match=r"li\.na.*451 try later") as caught:
        office.action.perform(first, office.world)
    assert caught.value.reason == "busy"

    outcome = office.action.perform(again(first), office.world)

    assert outcome.outputs["accepted"] == ["chen.wei", "li.na"]
    assert [address for address, _ in office.script.taken] == [CHEN, LI]


def test_a_busy_answer_to_the_text_means_that_it_was_not_taken(office: Office) -> None:
    office.script.texts[CHEN] = ["451 no room"]
    with pytest.raises(RetryableError, match="451 no room"):
        office.action.perform(_notice(to=["chen.wei"]), office.world)
    assert office.action.probe(_notice(to=["chen.wei"]), office.world).presence is Presence.ABSENT


def test_one_refused_address_does_not_keep_the_others_from_knowing(office: Office) -> None:
    office.script.recipients[CHEN] = ["550 no such user"]
    outcome = office.action.perform(_notice(), office.world)
    assert (outcome.outputs["accepted"], outcome.outputs["refused"]) == (["li.na"], ["chen.wei"])
    assert outcome.outputs["letters"]["chen.wei"]["answer"] == "550 no such user"


def test_a_refusal_of_everybody_is_refused(office: Office) -> None:
    office.script.recipients = {CHEN: ["550 no"], LI: ["550 no"]}
    with pytest.raises(RefusedError, match="the mail server took no letter"):
        office.action.perform(_notice(), office.world)


def test_where_everybody_must_know_one_refusal_is_a_failure(office: Office) -> None:
    office.script.recipients[CHEN] = ["550 no such user"]
    with pytest.raises(FailedError, match="not everybody could be told"):
        office.action.perform(_notice(needs="everyone"), office.world)


def test_no_answer_after_the_text_is_lost_contact_and_can_be_looked_up(office: Office) -> None:
    office.script.texts[CHEN] = ["hang"]
    notice = _notice(to=["chen.wei"], timeout_s=0.5)
    with pytest.raises(LostContactError) as caught:
        office.action.perform(notice, office.world)
    assert office.script.hanging.is_set()
    written = caught.value.facts["letters"]["chen.wei"]["message_id"]
    probe = office.action.probe(notice, office.world)
    assert probe.presence is Presence.UNKNOWN
    assert written in probe.detail


def test_an_engine_that_died_while_sending_leaves_an_unknown(office: Office) -> None:
    notice = _notice(to=["chen.wei"])
    handle = {"letters": {"chen.wei": {"fate": "sending", "answer": "", "message_id": "<x@y>"}}}
    office.world.record_handle(handle)
    assert office.action.probe(notice, office.world).presence is Presence.UNKNOWN


def test_the_text_is_never_sent_before_its_message_id_is_written_down(office: Office) -> None:
    office.script.texts[CHEN] = ["hang"]
    seen: list[bool] = []
    record_handle = office.world.record_handle

    def watched(handle: Any) -> None:
        seen.append(office.script.hanging.is_set())
        record_handle(handle)

    office.world.record_handle = watched  # type: ignore[method-assign]
    with pytest.raises(LostContactError):
        office.action.perform(_notice(to=["chen.wei"], timeout_s=0.5), office.world)
    assert seen == [False, True]


def test_what_the_server_took_over_is_done(office: Office) -> None:
    office.action.perform(_notice(), office.world)
    probe = office.action.probe(_notice(), office.world)
    assert probe.presence is Presence.DONE
    assert probe.outputs["accepted"] == ["chen.wei", "li.na"]


def test_before_anything_was_sent_the_probe_says_absent(office: Office) -> None:
    assert office.action.probe(_notice(), office.world).presence is Presence.ABSENT


def test_a_server_that_is_not_there_may_be_asked_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        world = SmallWorld(_inventory(taken.getsockname()[1]))
        with pytest.raises(RetryableError) as caught:
            NotifySend().perform(_notice(), world)
    assert caught.value.reason == "unreachable"


def test_a_server_that_never_greets_ends_with_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world = SmallWorld(_inventory(silent.getsockname()[1]))
        with pytest.raises(RetryableError) as caught:
            NotifySend().perform(_notice(to=["chen.wei"], timeout_s=0.3), world)
    assert caught.value.reason == "timeout"


def test_the_message_id_is_the_same_at_every_attempt_and_differs_between_people(
    office: Office,
) -> None:
    office.script.texts[CHEN] = ["451 later"]
    with pytest.raises(RetryableError) as caught:
        office.action.perform(_notice(), office.world)
    before = caught.value.facts["letters"]["chen.wei"]["message_id"]
    office.action.perform(again(_notice()), office.world)
    sent = {address: letter["Message-ID"] for address, letter in office.script.taken}
    assert sent[CHEN] == before
    assert sent[CHEN] != sent[LI]


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"mail": {}}, "no mail server is declared"),
        ({"people_groups": {}}, "no group is called 'leadership'"),
        ({"people": {}}, r"nobody is called"),
    ],
)
def test_what_is_missing_from_the_inventory_is_named_before_acting(
    office: Office, changes: dict[str, Any], because: str
) -> None:
    office.world.inventory = {**office.world.inventory, **changes}
    check = office.action.precheck(_notice(), office.world)
    assert check.holds is False
    assert because in check.because
    with pytest.raises(RefusedError, match=because):
        office.action.perform(_notice(), office.world)


def test_an_address_that_smuggles_a_header_is_refused(office: Office) -> None:
    people = {"chen.wei": {"email": "x@y.example>\r\nBcc: z@y.example"}}
    office.world.inventory = {**office.world.inventory, "people": people}
    with pytest.raises(RefusedError, match="is no address"):
        office.action.perform(_notice(to=["chen.wei"]), office.world)
    assert office.script.taken == []


def test_a_dry_description_names_the_group_and_the_subject(office: Office) -> None:
    assert list(office.action.describe(_notice())) == [
        "mail to leadership: 存储故障 / Storage failure"
    ]
