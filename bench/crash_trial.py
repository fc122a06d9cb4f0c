"""One death: a product is killed, resumed as its manual says, and followed to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from crash_host import Host, Line
from samples import SkippedError

EFFECTS = ("settle", "move", "unmove", "reopen")
LIMIT_S = 60.0
STILL_RUNNING_S = 4.0
"""How long an effect goes on after the product was resumed, unless it is begun again earlier."""


class Moment(StrEnum):
    """When the product dies; the values are the words of the page."""

    BEFORE = "before the effect"
    DURING = "while the effect runs on the host"
    AFTER = "after the effect, before its record"
    WITH_HOST = "together with the host, during the effect"
    GATE = "while a person is asked"
    UNDO = "after the undo, before its record"


CUTS: Mapping[Moment, str] = {
    Moment.BEFORE: "before:move",
    Moment.AFTER: "after:move",
    Moment.UNDO: "after:unmove",
}
"""Where the product kills itself; at the other moments it is killed from outside."""


class Product(Protocol):
    """Somebody who carries out the five steps."""

    name: str

    def prepare(self, host: Host) -> None:
        """Forget every earlier run.  Raises SkippedError where it cannot be had here."""

    def begin(self, cut: str) -> None:
        """Start the run; ``cut`` is where it is to kill itself, empty: nowhere."""

    def lives(self) -> bool:
        """Whether the process that carries the run out lives."""

    def kill(self) -> None:
        """Kill -9 all of it."""

    def resume(self) -> None:
        """Do what its documentation says after a crash."""

    def asks(self) -> bool:
        """Whether it waits for the person at the gate."""

    def approve(self) -> None:
        """Say yes."""

    def doubts(self, host: Host) -> bool:
        """Answer what it asks about an interrupted step, by the ledger; whether it asked."""

    def ended(self) -> str:
        """Return the state in which the run is over; empty while it is not."""

    def said(self) -> str:
        """Return what it said about the interrupted step; empty: nothing."""

    def close(self) -> None:
        """End everything that was started."""


@dataclass(frozen=True)
class Trial:
    """What one death led to.

    Attributes:
        counts: how often each effect happened: lines of the ledger.
        overlap: whether an effect was begun while the same one still ran.
        ahead: whether later steps began while the interrupted effect still ran.
        cut_off: whether an effect was ended on the host by the product's own death.
        asked: whether a person was asked about the interrupted step.
        unapproved: whether it went on past the gate before the person had said yes.
        state: in which the run ended, in the product's own word; empty: it never did.
        said: what the product said about the interrupted step; empty: nothing.
    """

    product: str
    moment: str
    counts: Mapping[str, int]
    overlap: bool
    ahead: bool
    cut_off: bool
    asked: bool
    unapproved: bool
    state: str
    said: str


def trial(product: Product, host: Host, moment: Moment) -> Trial:
    """Kill a product at a moment and return what came of it."""
    host.clear()
    host.fresh()
    product.prepare(host)
    try:
        cut_off = _until_death(product, host, moment)
        asked = _to_the_end(product, host, moment)
        return Trial(
            product.name,
            moment.value,
            {effect: host.begun(effect) for effect in EFFECTS},
            overlaps(host.ledger()),
            runs_ahead(host.ledger()),
            cut_off,
            asked,
            unapproved(host.ledger()),
            product.ended(),
            product.said(),
        )
    finally:
        product.close()
        host.clear()


def _until_death(product: Product, host: Host, moment: Moment) -> bool:
    if moment in {Moment.DURING, Moment.WITH_HOST}:
        host.hold("move")
    if moment is Moment.UNDO:
        host.refuse("reopen")
    product.begin(CUTS.get(moment, ""))
    if moment in {Moment.DURING, Moment.WITH_HOST}:
        _wait(lambda: host.begun("move"), product, "the effect")
        product.kill()
    elif moment is Moment.GATE:
        _wait(product.asks, product, "the gate")
        product.kill()
    elif moment is Moment.UNDO:
        _wait(product.asks, product, "the gate")
        host.yes()
        product.approve()
    _wait(lambda: product.doubts(host) or not product.lives(), product, "the death")
    _wait(lambda: not product.lives(), product, "the death")
    if moment is Moment.WITH_HOST:
        host.lose()
        host.release()
    return moment is Moment.DURING and _cut_off(host)


def _cut_off(host: Host) -> bool:
    """Whether the effect goes too, within a second of the product's death."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if not host.running():
            return True
        time.sleep(0.05)
    return False


def _to_the_end(product: Product, host: Host, moment: Moment) -> bool:
    product.resume()
    began, asked, approved = time.monotonic(), False, False
    while not product.ended():
        passed = time.monotonic() - began
        if passed > LIMIT_S:
            break
        if moment is Moment.DURING and (host.begun("move") > 1 or passed > STILL_RUNNING_S):
            host.release()
        if not approved and product.asks():
            host.yes()
            product.approve()
            approved = True
        asked = product.doubts(host) or asked
        time.sleep(0.1)
    return asked


def _wait(condition: Callable[[], object], product: Product, what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise SkippedError(f"{what} did not come within {LIMIT_S:g} s: {product.said()}")
        time.sleep(0.05)


def overlaps(ledger: Sequence[Line]) -> bool:
    """Whether an effect was begun while the same one ran, and ended afterwards."""
    for at, line in enumerate(ledger):
        later = ledger[at + 1 :]
        ends = [n for n, other in enumerate(later) if _ends(other, line)]
        again = [n for n, o in enumerate(later) if (o.word, o.effect) == ("begun", line.effect)]
        if line.word == "begun" and ends and again and again[0] < ends[0]:
            return True
    return False


def runs_ahead(ledger: Sequence[Line]) -> bool:
    """Whether ``reopen`` was begun before the end of a ``move`` that did end."""
    words = [(line.word, line.effect) for line in ledger]
    if ("begun", "reopen") not in words:
        return False
    return ("ended", "move") in words[words.index(("begun", "reopen")) :]


def _ends(line: Line, begun: Line) -> bool:
    return line.word == "ended" and line.pid == begun.pid


def unapproved(ledger: Sequence[Line]) -> bool:
    """Whether the last step happened before the person had said yes."""
    for line in ledger:
        if line.word == "yes":
            return False
        if line.effect == "reopen":
            return True
    return False
