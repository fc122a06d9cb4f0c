"""A made-up reconciliation after the night of ``story``, told as journal events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dr.engine.core.events import Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.reconciliation import Found, Session
from dr.engine.core.values import utc_text
from dr.engine.core.view import RunView, fold
from tests.unit.incidents.story import INVENTORY, RUN, START, Teller, opening, record

STEP = "signed_off"

BRANCHES: dict[str, Any] = {
    "branch-01": {
        "title": {"en": "Riverside registration centre", "zh": "滨河登记中心"},
        "responsible": "chen.wei",
        "ledger": {"columns": {"key": "slip", "at": "at", "parcel": "parcel"}},
    },
    "branch-02": {"title": {"en": "East office", "zh": "城东分局"}, "responsible": "li.na"},
    "branch-03": {"title": {"en": "North office", "zh": "城北分局"}, "responsible": "zhao.min"},
    "branch-04": {"title": {"en": "Harbour office", "zh": "港口网点"}, "responsible": "sun.hao"},
    "branch-05": {"title": {"en": "Old Town office", "zh": "老城网点"}},
}


def reconciled_record(**changes: Any) -> RunRecord:
    """Return the row of a run whose inventory has five branches."""
    inventory = {**INVENTORY, "branches": BRANCHES, **changes.pop("inventory", {})}
    return record(inventory=inventory, **changes)


def found(branch: str, number: int, what: str = "missing_central", **more: Any) -> Found:
    """Return a difference whose id tells its branch and number."""
    ledger = {"slip": f"S-{number:04}", "at": f"2026-11-22T02:{number:02}:00", "parcel": "P-1"}
    values: dict[str, Any] = {
        "id": f"{branch[-2:]}{number:08}",
        "branch": branch,
        "what": what,
        "key": f"S-{number:04}",
        "parcel": "P-1",
        "amount": "1250000.00",
        "ledger": ledger,
        "proposed": "re-enter",
        **more,
    }
    return Found(**values)


class Told:
    """Appends events of a session with honest hashes; the fold decides what they mean."""

    def __init__(self, teller: Teller, branches: Sequence[str], **more: Any) -> None:
        self.teller = teller
        teller.tell(
            Kind.RECONCILE_OPENED,
            STEP,
            **{
                "session": f"{RUN}/{STEP}#1",
                "from": utc_text(START - timedelta(hours=1)),
                "to": utc_text(teller.now),
                "due": utc_text(teller.now + timedelta(hours=24)),
                "rule": {"signed_off": "100%", "unexplained": 0, "waivable": "60%"},
                "branches": list(branches),
                "service": "registry",
                "host": "db-b",
                **more,
            },
        )

    @property
    def view(self) -> RunView:
        return fold(RUN, self.teller.events)

    @property
    def session(self) -> Session:
        session = self.view.session
        assert session is not None
        return session

    def wait(self, **length: float) -> Told:
        self.teller.now += timedelta(**length)
        return self

    def received(self, branch: str, sha: str = "a", **more: Any) -> Told:
        data: dict[str, Any] = {"name": "ledger.csv", "by": "dr", "via": "sftp", **more}
        self.teller.tell(Kind.RECONCILE_RECEIVED, STEP, branch=branch, sha256=sha * 64, **data)
        return self

    def compared(
        self, branch: str, cases: Sequence[Found] = (), entries: int = 40, sha: str = "a"
    ) -> Told:
        data: dict[str, Any] = {
            "evidence": sha * 64,
            "entries": entries,
            "cases": [c.to_data() for c in cases],
        }
        self.teller.tell(Kind.RECONCILE_COMPARED, STEP, branch=branch, **data)
        return self

    def decided(self, case: Found, verb: str, by: str, **more: Any) -> Told:
        data: dict[str, Any] = {
            "branch": case.branch,
            "case": case.id,
            "verb": verb,
            "by": by,
            **more,
        }
        self.teller.tell(Kind.RECONCILE_DECIDED, STEP, **data)
        return self

    def resolved(self, case: Found, resolution: str, maker: str, checker: str) -> Told:
        why = {"resolution": resolution, "reason": f"seen by {maker}", "reference": "C-77"}
        return self.decided(case, "propose", maker, **why).decided(case, "approve", checker)

    def signed(self, branch: str, by: str, **more: Any) -> Told:
        session = self.session
        held = session.branches[branch]
        data: dict[str, Any] = {
            "means": "signature",
            "signature": "-----BEGIN SSH SIGNATURE-----",
            **more,
        }
        self.teller.tell(
            Kind.RECONCILE_SIGNED,
            STEP,
            branch=branch,
            digest=session.digest_of(held),
            statement=session.text_of(held),
            by=by,
            **data,
        )
        return self

    def waived(self, branches: Sequence[str], by: str, reason: str, lasts: timedelta) -> Told:
        expires = utc_text(self.teller.now + lasts)
        self.teller.tell(
            Kind.RECONCILE_WAIVED, STEP, branches=list(branches), by=by, reason=reason,
            expires=expires, statement="{}", signature="x",
        )  # fmt: skip
        return self

    def closed(self, how: str) -> Told:
        self.teller.tell(Kind.RECONCILE_CLOSED, STEP, how=how, by="dr")
        self.teller.tell(Kind.RUN_CLOSED)
        return self


def begun(branches: Sequence[str] = tuple(BRANCHES), **more: Any) -> Told:
    """Tell a run up to the moment when its session is open."""
    teller = opening(Teller()).wait(240)
    teller.tell(Kind.RUN_RECOVERED, down_s=240.0, detected_at=utc_text(START))
    return Told(teller.wait(60), branches, **more)


def week(cases: Mapping[str, Found] | None = None) -> Told:
    """Tell a reconciliation with everything in it: signed, spoken, void, refused, waived, open."""
    one = found("branch-01", 1)
    two = found("branch-01", 2, "different", central={"key": "S-0002", "parcel": "P-9"},
                fields=("parcel",), amount="80000", proposed="adjust")  # fmt: skip
    lost = found("branch-02", 1, amount="")
    extra = found("branch-02", 2, "extra_central", ledger={}, central={"key": "S-0002"},
                  amount="300.50", proposed="void")  # fmt: skip
    gone = found("branch-02", 3, "in_flight", amount="12")
    grave = found("branch-04", 1, "serial_dup", critical=True, amount="990000")
    dear = found("branch-04", 2, amount="")
    told = begun()
    told.received("branch-01").compared("branch-01", [one, two])
    told.received("branch-02", "b").compared("branch-02", [lost, extra, gone], 31, "b")
    told.received("branch-04", "c", via="file", by="sun.hao", name="港口.csv")
    told.compared("branch-04", [grave, dear], 12, "c")
    told.received("branch-05", "d", problem="line 3: it has no key", name="wrong.csv")
    told.wait(hours=2).resolved(one, "re-enter", "sun.hao", "li.na")
    told.resolved(two, "adjust", "sun.hao", "li.na").wait(minutes=30)
    told.compared("branch-01", []).signed("branch-01", "chen.wei")
    told.resolved(lost, "lost", "zhao.min", "sun.hao")
    told.resolved(extra, "void", "zhao.min", "sun.hao").compared("branch-02", [lost], 31, "b")
    told.signed(
        "branch-02", "li.na", means="voice", signature="", witnesses=["sun.hao", "zhao.min"]
    )
    told.decided(grave, "propose", "li.na", resolution="refer", reason="two certificates")
    told.waived(["branch-03"], "chen.wei", "flooded; its ledger dries", timedelta(days=30))
    return told.wait(hours=3)


def many(count: int) -> Told:
    """Tell a session of ``count`` branches in every state."""
    names = [f"branch-{number:04}" for number in range(count)]
    told = begun(names)
    for number, name in enumerate(names):
        if number % 29 == 3:
            continue
        if number % 83 == 5:
            told.received(name, "e", problem="it is no text")
            continue
        cases = []
        if number % 17 == 1:
            case = {"id": f"{number:010}", "key": f"S-{number}"}
            cases = [found(name, 1, critical=number % 340 == 1, **case)]
        told.received(name, "f").compared(name, cases, number % 50, "f")
    session = told.session  # signing needs the whole fold: once, not for each
    for number, name in enumerate(names):
        held = session.branches[name]
        if held.compared is None or held.open_cases or number % 11 == 2:
            continue
        told.teller.tell(
            Kind.RECONCILE_SIGNED, STEP, branch=name, digest=session.digest_of(held),
            statement=session.text_of(held), by="chen.wei", means="signature", signature="x",
        )  # fmt: skip
    told.waived([n for n in names[3::290]], "chen.wei", "no answer for a week", timedelta(days=30))
    return told.wait(hours=5)
