"""``notify.send``: tell people by mail, each of them once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Inputs, Words
from dr.engine.actions.letters import Fate, MailServer, Post, Receipt, letter, message_id
from dr.engine.core.errors import FailedError, LostContactError, RefusedError, RetryableError
from dr.engine.core.events import Event, Kind
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import Text

_PATIENCE_S = 15.0
"""Longest conversation about one letter, in seconds; the step's timeout may be shorter."""

_SETTLED = frozenset({Fate.ACCEPTED, Fate.REFUSED})


class GroupOfPeople(Inputs):
    """A group of the inventory."""

    group: str


class PeopleOfBranches(Inputs):
    """The people of every branch: who is responsible, or everybody of its group too."""

    branches: Literal["responsible", "everybody"]


class NotifyInputs(Inputs):
    """What ``with`` may hold; ``to`` is a group, the branches, or a list of people's ids."""

    to: GroupOfPeople | PeopleOfBranches | list[str]
    subject: Words
    text: Words
    channel: Literal["smtp"] = "smtp"
    needs: Literal["anyone", "everyone"] = "anyone"


@dataclass(frozen=True, slots=True)
class _Addressee:
    id: str
    name: str
    address: str


class NotifySend(Driver[NotifyInputs]):
    """One letter each, in both languages.

    Before the text of a letter goes out, its Message-ID is written down.  An attempt after a
    failure writes only to those whose letter is not known to have been taken over.
    """

    inputs = NotifyInputs
    spec = specify(
        "notify.send",
        "Tell people by mail",
        "邮件通知",
        NotifyInputs,
        effects=(Effect.IDEMPOTENT, Effect.ONCE),
        probes=True,
        attaches=True,
        outputs={"accepted": "list", "refused": "list", "letters": "map"},
    )

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say whom it would tell, and the subject."""
        given = self.given(attempt)
        return [f"mail to {_named(given.to)}: {_both(given.subject, ' / ')}"]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """Whether there is a mail server and somebody with an address."""
        try:
            _server(world)
            people = _addressees(self.given(attempt), world.inventory)
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        return Check(holds=True, because=f"{len(people)} people")

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Say what the server answered, as far as it was written down."""
        try:
            people = _addressees(self.given(attempt), world.inventory)
        except RefusedError as error:
            return Probe(Presence.UNKNOWN, error.message)
        letters = _letters(world.history(), attempt.step)
        fates = [_fate(letters, person.id) for person in people]
        unsure = [p.id for p, f in zip(people, fates, strict=True) if f is Fate.UNKNOWN]
        if unsure:
            ids = ", ".join(message_id(attempt.key, person) for person in unsure)
            return Probe(Presence.UNKNOWN, f"no answer about {ids}: look into the server's log")
        if all(fate in _SETTLED for fate in fates) and Fate.ACCEPTED in fates:
            return Probe(Presence.DONE, "the server took the letters over", _outputs(letters))
        if Fate.ACCEPTED in fates:
            return Probe(Presence.PARTIAL, "the server took some of the letters over")
        return Probe(Presence.ABSENT, "no letter was handed in")

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Hand in a letter for everybody who has none yet.

        Raises:
            RetryableError: somebody's letter was not sent, and asking again may help.
            LostContactError: a text was sent, and no answer came.
            RefusedError: nobody's letter was taken, and asking again will not help.
            FailedError: everybody was wanted, and somebody's letter was refused.
        """
        given, server = self.given(attempt), _server(world)
        people = _addressees(given, world.inventory)
        letters = dict(_letters(world.history(), attempt.step))
        reasons: dict[str, str] = {}
        end_s = world.clock.monotonic() + attempt.timeout.total_seconds()
        for person in people:
            if _fate(letters, person.id) is Fate.ACCEPTED or world.cancelled():
                continue
            post = Post(server, min(_PATIENCE_S, end_s - world.clock.monotonic()))
            receipt = self._tell(person, given, attempt, world, letters, post)
            letters[person.id] = _written(receipt, attempt.key, person.id)
            reasons[person.id] = receipt.reason
            world.record_handle({"letters": letters})
            world.output(f"{person.id}: {receipt.fate}: {receipt.answer}\n")
        return _judged(people, letters, reasons, given)

    def _tell(
        self,
        person: _Addressee,
        given: NotifyInputs,
        attempt: Attempt,
        world: World,
        letters: dict[str, Mapping[str, str]],
        post: Post,
    ) -> Receipt:
        if not _is_address(person.address):
            return Receipt(Fate.REFUSED, f"'{person.address}' is no address that mail can go to")
        record = world.record()
        message = letter(
            sender=post.sender,
            name=person.name,
            address=person.address,
            subject=_prefix(world.inventory, record.mode)
            + world.redact(_both(given.subject, " / ")),
            text=world.redact(_both(given.text, "\n\n--\n\n"))
            + f"\n\n[{record.id} {attempt.step}]\n",
            at=world.clock.now(),
            identity=message_id(attempt.key, person.id),
            headers={"X-DR-Run": record.id, "X-DR-Step": attempt.step},
        )

        def before_text() -> None:
            unsure = Receipt(Fate.SENDING, "")
            letters[person.id] = _written(unsure, attempt.key, person.id)
            world.record_handle({"letters": letters})

        return post.send(message, person.address, before_text)

    def attach(self, attempt: Attempt, world: World) -> Attached:  # noqa: ARG002
        """It ran inside the engine that is gone; what was written down is for the probe."""
        return Attached(Found.GONE, "it ran inside the engine that began it")

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        """Whether it could be done; how long depends on a server nobody measured."""
        return Forecast(available=self.precheck(attempt, world))


def _server(world: World) -> MailServer:
    mail: Mapping[str, Any] = world.inventory.get("mail") or {}
    if not mail.get("host") or not mail.get("from"):
        raise RefusedError(
            "no mail server is declared",
            hint="Write `mail: { host: …, port: 25, from: … }` into dr.yaml.",
        )
    password = mail.get("password")
    return MailServer(
        host=str(mail["host"]),
        port=int(mail.get("port", 25)),
        sender=str(mail["from"]),
        user=str(mail.get("user") or ""),
        password=world.secret(password).reveal() if password else "",
        tls=str(mail.get("tls") or "none"),
    )


def _addressees(given: NotifyInputs, inventory: Mapping[str, Any]) -> list[_Addressee]:
    people: Mapping[str, Any] = inventory.get("people") or {}
    if isinstance(given.to, GroupOfPeople):
        groups: Mapping[str, Any] = inventory.get("people_groups") or {}
        if given.to.group not in groups:
            raise RefusedError(
                f"no group is called '{given.to.group}'",
                hint=f"Groups of people.yaml: {', '.join(sorted(groups)) or 'none'}.",
            )
        members = list(groups[given.to.group].get("members") or ())
    elif isinstance(given.to, PeopleOfBranches):
        members = list(_of_branches(inventory, everybody=given.to.branches == "everybody"))
    else:
        members = list(given.to)
    unknown = [member for member in members if member not in people]
    if unknown or not members:
        raise RefusedError(
            f"nobody is called {', '.join(map(repr, unknown))}" if unknown else "nobody to tell",
            hint="Type 'dr inventory show people' to see who there is.",
        )
    return [_addressee(member, people[member]) for member in dict.fromkeys(members)]


def _named(to: GroupOfPeople | PeopleOfBranches | list[str]) -> str:
    if isinstance(to, GroupOfPeople):
        return to.group
    return f"{to.branches} of the branches" if isinstance(to, PeopleOfBranches) else ", ".join(to)


def _of_branches(inventory: Mapping[str, Any], *, everybody: bool) -> Iterator[str]:
    groups: Mapping[str, Any] = inventory.get("people_groups") or {}
    for branch in (inventory.get("branches") or {}).values():
        if branch.get("responsible"):
            yield str(branch["responsible"])
        if everybody and branch.get("group"):
            yield from (groups.get(branch["group"]) or {}).get("members") or ()


def _addressee(person: str, entry: Mapping[str, Any]) -> _Addressee:
    name = Text.of(entry.get("name"))
    return _Addressee(person, name.zh or name.en or person, str(entry.get("email") or ""))


def _is_address(address: str) -> bool:
    name, _, domain = address.partition("@")
    plain = address.isascii() and address.isprintable()
    return bool(name and domain) and plain and not set(address) & set(" <>,;\"'")


def _prefix(inventory: Mapping[str, Any], mode: str) -> str:
    """Return what nobody may overlook in a subject: a drill, production, another environment."""
    environment: Mapping[str, Any] = inventory.get("environment") or {}
    is_production = environment.get("kind") == "production"
    where = "【生产 PRODUCTION】" if is_production else f"[{environment.get('name') or '?'}] "
    return ("【演练】[DRILL] " if mode == "drill" else "") + where


def _both(words: Text, between: str) -> str:
    """Return both languages, one of them when they say the same."""
    return between.join(dict.fromkeys(text for text in (words.zh, words.en) if text))


def _letters(history: Sequence[Event], step: str) -> Mapping[str, Mapping[str, str]]:
    """Return what was last written down of each letter of the step, over all its attempts."""
    found: dict[str, Mapping[str, str]] = {}
    for event in history:
        if event.kind is Kind.HANDLE and event.step == step:
            found |= event.data["handle"].get("letters") or {}
    return found


def _fate(letters: Mapping[str, Mapping[str, str]], person: str) -> Fate | None:
    """Return what is known now: a letter that was being sent has an unknown fate."""
    if person not in letters:
        return None
    fate = Fate(letters[person]["fate"])
    return Fate.UNKNOWN if fate is Fate.SENDING else fate


def _written(receipt: Receipt, key: str, person: str) -> Mapping[str, str]:
    identity = message_id(key, person)
    return {"fate": str(receipt.fate), "answer": receipt.answer, "message_id": identity}


def _outputs(letters: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    def those(fate: Fate) -> list[str]:
        return sorted(person for person in letters if _fate(letters, person) is fate)

    return {
        "accepted": those(Fate.ACCEPTED),
        "refused": those(Fate.REFUSED),
        "letters": {person: dict(said) for person, said in sorted(letters.items())},
    }


def _judged(
    people: Sequence[_Addressee],
    letters: Mapping[str, Mapping[str, str]],
    reasons: Mapping[str, str],
    given: NotifyInputs,
) -> Outcome:
    """Return the outcome, or raise what is known, the worst first."""
    outputs = _outputs(letters)
    said = "; ".join(f"{person}: {one['answer']}" for person, one in sorted(letters.items()))
    fates = {person.id: _fate(letters, person.id) for person in people}
    if Fate.UNKNOWN in fates.values():
        raise LostContactError(
            f"a letter was sent and no answer came ({said})",
            hint="Look for its Message-ID in the log of the mail server.",
            facts=outputs,
        )
    later = [person for person, fate in fates.items() if fate in {Fate.LATER, None}]
    if later:
        reason = reasons.get(later[0]) or "busy"
        raise RetryableError(
            f"mail to {', '.join(later)} was not sent ({said})",
            reason=reason,
            hint="Whoever was told is not told again when it is retried.",
            facts=outputs,
        )
    if Fate.ACCEPTED not in fates.values():
        raise RefusedError(
            f"the mail server took no letter ({said})",
            hint="Correct the addresses in people.yaml and tell them by telephone now.",
            facts=outputs,
        )
    if given.needs == "everyone" and Fate.REFUSED in fates.values():
        raise FailedError(
            f"not everybody could be told ({said})",
            hint="Tell the others by telephone, then type 'dr skip RUN STEP --because …'.",
            facts=outputs,
        )
    return Outcome(outputs=outputs, facts=outputs)
