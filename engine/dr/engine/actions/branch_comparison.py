"""The evidence of branches against the recovered database, as what a session's journal says of it.

The database is asked over its own protocol as the read-only role, in one read-only transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dr.engine.actions.postgres.service import Service
from dr.engine.core.canonical import digest
from dr.engine.core.errors import RefusedError, RetryableError
from dr.engine.core.reconciliation import Found, Resolution
from dr.engine.core.values import Secret

if TYPE_CHECKING:  # psycopg and calamine are heavy, and few commands compare
    from dr.reconcile.branch_type import BranchType
    from dr.reconcile.branches import BranchOutcome, Comparison
    from dr.reconcile.breaks import Break, SerialRange
    from dr.reconcile.relation import Wire
    from dr.reconcile.serials import SerialRegister
    from dr.reconcile.shape import RecordShape
    from dr.reconcile.window import Window

Piece = tuple[Path, str]
"""Bytes that a branch handed in, in a file called by their SHA-256; and how they came."""

BUREAU = "bureau"
"""Whose cases those are that belong to no branch: gaps in a sequence that serves all."""

_CONNECT_S = 5
_LIMIT = timedelta(minutes=10)
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
_ID_DIGITS = 12

AUDITED = ("serial_gap", "serial_dup", "serial_out_of_block", "serial_void", "total_mismatch")
"""Classes that only a comparison of all branches looks for."""

_PROPOSED: Mapping[str, Resolution] = {
    "missing_central": Resolution.RE_ENTER,
    "field_diff": Resolution.ADJUST,
    "cross_branch": Resolution.ADJUST,
    "dup_key_central": Resolution.VOID,
    "dup_business": Resolution.VOID,
}


@dataclass(frozen=True)
class Bureau:
    """What is to be known of the bureau for a comparison.

    Args:
        inventory: the snapshot of the run.
        secret: resolves a secret reference.
        overlap: how far before the recovery point is looked too.
    """

    inventory: Mapping[str, Any]
    service: Service
    secret: Callable[[Any], Secret]
    overlap: timedelta = timedelta(hours=1)
    types: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", self.inventory.get("branch_types") or {})

    def knows(self, branch: str) -> bool:
        """Whether it is declared how the branch writes its business down."""
        declared = (self.inventory.get("branches") or {}).get(branch) or {}
        return declared.get("type") in self.types

    def shape_of(self, branch: str) -> RecordShape:
        """Return what a record of the branch is.

        Raises:
            RefusedError: it is not declared.
        """
        from dr.reconcile.shape import RecordShape

        return RecordShape.of(self._record([branch]))

    def type_of(self, branch: str, via: str = "file") -> BranchType:
        """Return how evidence that came by ``via`` is read."""
        from dr.reconcile.branch_type import BranchType, Source

        kind = str(self._branch(branch)["type"])
        declared = BranchType.of(kind, self.types[kind])
        if via == "copy":  # as the database itself writes its records
            shape = self.shape_of(branch)
            columns = {name: name for name in shape.names}
            return BranchType("copy", Source.POSTGRESQL, columns, zone=shape.zone, partial=True)
        if via == "paper":  # typed in our own words: in yuan, by the bureau's clock
            return BranchType(f"{kind}, typed in", Source.TYPED, declared.columns)
        if via == "telephone":
            return replace(declared, source=Source.TOTALS)
        if via != "database" and declared.source in {Source.POSTGRESQL, Source.MYSQL}:
            declared = replace(declared, name=f"{kind}, in a file", source=Source.CSV)
        return replace(declared, unsent=True) if via == "queue" else declared

    def known_as(self, branch: str) -> tuple[str, ...]:
        """Return the other names by which files may call the branch."""
        return tuple(map(str, self._branch(branch).get("known_as") or ()))

    def problem(self, branch: str, content: bytes, via: str = "file") -> str:
        """Return why evidence of a branch can not be understood; "" when it can."""
        from dr.reconcile.by_hand import read_totals
        from dr.reconcile.evidence import EvidenceError
        from dr.reconcile.intake import read_evidence

        try:
            if via == "telephone":
                read_totals(branch, content)
                return ""
            kind, shape = self.type_of(branch, via), self.shape_of(branch)
            read_evidence(branch, content, kind, shape, known_as=self.known_as(branch))
        except EvidenceError as error:
            return error.message
        return ""

    def compare(
        self,
        run: str,
        evidence: Mapping[str, Sequence[Piece]],
        *,
        host: str,
        recovery_point: datetime | None,
        service_back: datetime | None,
        expected: Sequence[str],
        everybody: bool,
    ) -> dict[str, dict[str, Any]]:
        """Compare branches; return what ``reconcile.compared`` says of each of ``expected``.

        Args:
            evidence: by branch, what it handed in; the first piece is its ledger where it has one.
            everybody: whether these are all branches: only then serial numbers are audited.

        Raises:
            RetryableError: the database does not answer.
            RefusedError: it is not declared how its records are listed.
            CentralError: it does not have what is compared.
        """
        from dr.reconcile.branches import compare_branches
        from dr.reconcile.first_look import Submission
        from dr.reconcile.relation import Relation, snapshot
        from dr.reconcile.session import Session
        from dr.reconcile.shape import RecordShape

        record = self._record(evidence)
        window = self.window(recovery_point, service_back)
        with self.wire(host) as wire, snapshot(wire) as seen:
            shape = RecordShape.of(record)
            relation = Relation.open(wire, record["query"], shape, record.get("locator") or "")
            found = compare_branches(
                Session(run, window),
                relation,
                [
                    Submission(name, self.type_of(name, via), path, self.known_as(name))
                    for name, pieces in sorted(evidence.items())
                    for path, via in pieces
                ],
                expected=expected,
                register=self.register(),
                audit=everybody,
                snapshot=seen,
            )
        names = {name: evidence_name(path.name for path, _ in p) for name, p in evidence.items()}
        return dict(_results(run, found, names, expected, everybody=everybody))

    def window(self, recovery_point: datetime | None, service_back: datetime | None) -> Window:
        """Return what is at stake; from the beginning when the recovery point is not known."""
        from dr.reconcile.window import Window

        return Window((recovery_point or _BEGINNING + self.overlap), service_back, self.overlap)

    def used_forms(self, host: str, ranges: Sequence[SerialRange]) -> dict[SerialRange, int]:
        """Return how many records of the database stand on numbers of each range.

        Raises:
            RetryableError: the database does not answer.
            RefusedError: no record is declared, or it has no serial number.
        """
        from dr.reconcile.relation import INTEGERS, Relation, snapshot
        from dr.reconcile.shape import RecordShape

        record = self._record(())
        serial = record.get("serial")
        if not serial:
            raise RefusedError(
                "records have no serial number",
                hint="Name its column with 'serial:' in ledgers.yaml.",
            )
        with self.wire(host) as wire, snapshot(wire):
            relation = Relation.open(wire, record["query"], RecordShape.of(record))
            bare = relation.types[serial] in INTEGERS  # nothing is kept but the number
            found = relation.ask(
                f"""
SELECT r.i, count(q.n)
FROM unnest(%(p)s::text[], %(f)s::bigint[], %(l)s::bigint[])
     WITH ORDINALITY AS r (prefix, first, last, i)
LEFT JOIN (SELECT rtrim(s.serial, '0123456789') AS prefix,
                  substring(s.serial from '[0-9]+$')::numeric AS n
           FROM (SELECT q."{serial}"::text AS serial FROM {relation.source}) AS s) AS q
ON q.prefix = r.prefix AND q.n BETWEEN r.first AND r.last GROUP BY 1""",  # noqa: S608 - a name that ledgers.yaml was checked for
                {
                    "p": ["" if bare else each.prefix for each in ranges],
                    "f": [each.first for each in ranges],
                    "l": [each.last for each in ranges],
                },
            )
        return {ranges[int(i) - 1]: int(number) for i, number in found}

    def record_of(self, branch: str) -> str:
        """Return what kind of record a branch writes, by its name in ledgers.yaml."""
        return str(self.types[self._branch(branch)["type"]]["record"])

    def _record(self, evidence: Iterable[str]) -> Mapping[str, Any]:
        kinds = {self.record_of(name) for name in evidence}
        records: Mapping[str, Any] = self.inventory.get("records") or {}
        if len(kinds) > 1:
            raise RefusedError(
                f"the branches write records of several kinds: {', '.join(sorted(kinds))}",
                hint="Compare those of one kind at a time.",
            )
        kind = next(iter(kinds), next(iter(records), None))
        if kind is None or kind not in records:
            raise RefusedError(
                "it is not declared what a record of the business is",
                hint="Declare it in ledgers.yaml; 'dr schema ledgers' has every key.",
            )
        found: Mapping[str, Any] = records[kind]
        return found

    def _branch(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (self.inventory.get("branches") or {}).get(name) or {}
        return found

    def register(self) -> SerialRegister | None:
        """Return what is known of numbered forms; None when the inventory says nothing."""
        from dr.reconcile.serial_ranges import SerialBlock, printed_range, texts_of
        from dr.reconcile.serials import FormState, SerialRegister

        blocks = self.inventory.get("serial_blocks") or ()
        if not blocks:
            return None
        states = {"void": FormState.VOID, "stolen": FormState.STOLEN}
        forms: dict[str, FormState] = {}
        issued: list[SerialBlock] = []
        for block in blocks:
            each = printed_range(str(block["first"]), str(block["last"]))
            if block["kind"] in states:
                forms |= dict.fromkeys(texts_of(each), states[block["kind"]])
            elif block["branch"] != BUREAU:
                issued.append(SerialBlock(block["branch"], each.prefix, each.first, each.last))
        return SerialRegister(tuple(issued), forms)

    def password(self, value: object) -> str:
        """Return what a declared password is, be it a reference to a secret.

        Raises:
            UserError: the secret is not there.
        """
        if isinstance(value, Mapping):
            return self.secret(value).reveal()
        return str(value or "")

    @contextmanager
    def wire(self, host: str) -> Iterator[Wire]:
        """Connect to the service's database on a host as its reader, who can not write.

        Raises:
            RetryableError: it does not answer.
            RefusedError: no reader is declared, or the host has no address.
        """
        import psycopg

        declared = (self.inventory.get("services") or {}).get(self.service.id) or {}
        database: Mapping[str, Any] = declared.get("database") or {}
        reader = database.get("reader") or {}
        address = ((self.inventory.get("hosts") or {}).get(host) or {}).get("address")
        if not reader.get("user") or not address:
            raise RefusedError(
                f"service '{self.service.id}' declares no reader for its database, or {host} has "
                "no address",
                hint="Add database.reader with user and password to services.yaml.",
            )
        limit_ms = int(_LIMIT.total_seconds() * 1000)
        try:
            wire = psycopg.connect(
                host=str(address),
                port=self.service.database.port,
                dbname=self.service.database.name,
                user=str(reader["user"]),
                password=self.password(reader.get("password")),
                connect_timeout=_CONNECT_S,
                application_name="dr reconcile",
                options=f"-c statement_timeout={limit_ms} -c default_transaction_read_only=on",
                tcp_user_timeout=60_000,
            )
        except psycopg.OperationalError as error:
            words = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            raise RetryableError(
                f"the database on {host} does not answer: {words}",
                reason="unreachable",
                hint="Look whether it runs and lets the reader in; nothing was changed.",
            ) from error
        with wire:
            yield wire


def evidence_name(digests: Iterable[str]) -> str:
    """Return by what a branch's evidence is called: its SHA-256, of several pieces one over all."""
    several = list(digests)
    return several[0] if len(several) == 1 else digest(several)


def _results(
    run: str,
    found: Comparison,
    evidence: Mapping[str, str],
    expected: Sequence[str],
    *,
    everybody: bool,
) -> Iterator[tuple[str, dict[str, Any]]]:
    cases: dict[str, list[Found]] = {}
    for each in found.breaks:
        cases.setdefault(each.branch or BUREAU, []).append(found_of(each))
    for name in sorted({*expected, *cases}):
        outcome = found.branches.get(name)
        if outcome is not None and outcome.because:
            yield name, {"problem": outcome.because}
        elif name in evidence or (everybody and cases.get(name)):
            result = _result(run, name, outcome, cases.get(name, []), everybody=everybody)
            yield name, {**result, "evidence": evidence.get(name, "")}


def _result(
    run: str,
    name: str,
    outcome: BranchOutcome | None,
    cases: list[Found],
    *,
    everybody: bool,
) -> dict[str, Any]:
    unread = outcome.unread if outcome is not None else ()
    if unread:
        told = {str(number): words for number, words in enumerate(unread[:50], 1)}
        case_id = digest([run, "ledger_unreadable", name])[:_ID_DIGITS]
        cases = [*cases, Found(case_id, name, "ledger_unreadable", ledger=told, critical=True)]
    return {
        "entries": outcome.ledger if outcome is not None else None,
        "central": outcome.central if outcome is not None else None,
        "format_only": outcome.format_only if outcome is not None else 0,
        "arrived": outcome.arrived if outcome is not None else 0,
        "cases": [case.to_data() for case in cases],
        "unasked": [] if everybody else list(AUDITED),
    }


def found_of(each: Break) -> Found:
    """Return a break as a session keeps it."""
    ledger, central = _texts(each.ledger), _texts(each.central)
    return Found(
        id=each.id[:_ID_DIGITS],
        branch=each.branch or BUREAU,
        what=each.kind.value,
        sub=each.subclass.value,
        key=str(each.serials) if each.serials is not None else each.key,
        parcel=ledger.get("parcel", "") or central.get("parcel", ""),
        amount="" if each.amount is None else str(each.amount),
        ledger=ledger,
        central=central,
        fields=tuple(difference.column for difference in each.fields),
        critical=each.severity.value == "critical",
        proposed=_PROPOSED.get(each.kind.value, Resolution.REFER),
        match=each.matched_by.value,
        score=each.score,
    )


def _texts(values: Mapping[str, str | None] | None) -> dict[str, str]:
    return {name: value for name, value in (values or {}).items() if value}
