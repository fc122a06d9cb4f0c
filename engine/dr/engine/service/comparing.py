"""What branches hand in, and the comparison with the recovered database, anew at any time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dr.engine.actions.branch_cases import result_data
from dr.engine.actions.branch_comparison import Bureau
from dr.engine.actions.branch_databases import Asked, ask, have_databases
from dr.engine.actions.branch_ledgers import Collection, collect, sequence_names, understood
from dr.engine.actions.central_records import compare_branches
from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.service import Service, read_service
from dr.engine.core.errors import UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Secrets
from dr.engine.core.reconciliation import COPY, PHOTO, Branch, Evidence, Session
from dr.engine.core.values import Secret
from dr.engine.service.authority import known_person
from dr.engine.service.evidence import read_given
from dr.engine.service.forms import BranchForms, forms_of, range_of
from dr.engine.service.reconciling import Open, Reconciling, person_of
from dr.inventory.directory import Directory
from dr.reconcile.evidence import EvidenceError, EvidenceStore

if TYPE_CHECKING:
    from dr.engine.service.copies import Copies
    from dr.reconcile.by_hand import Total
    from dr.reconcile.intake import Preview

_MOST_BYTES = 256 << 20
PARTIAL = frozenset({"queue", COPY})
"""Ways in which evidence comes that is no account of all that a branch did."""
_LEDGERS = frozenset({"sftp", "database", "file"})
"""Ways in which a branch's whole ledger comes; of several the newest counts."""


@dataclass(frozen=True)
class Comparing:
    """Use cases that read evidence and ask the database; never writes to it.

    Args:
        connections: able to look only.
        secrets: resolves the password of the database's reader.
        keep: the folder of evidence.
    """

    reconciling: Reconciling
    connections: Connections
    secrets: Secrets
    keep: Path

    @property
    def store(self) -> EvidenceStore:
        """Where evidence lies by its SHA-256."""
        return EvidenceStore(self.keep)

    @property
    def copies(self) -> Copies:
        """Comparisons with another copy of the database."""
        from dr.engine.service.copies import Copies

        return Copies(self)

    def load(self, run: str, branch: str, path: Path, *, by: str, via: str = "file") -> Branch:
        """Take a file of a branch as evidence and compare the branch with it.

        A file that can not be understood is kept and journalled as such; what an earlier file
        showed stands.  A picture (``photo``) is kept for people to look at, and changes nothing.

        Raises:
            UserError: no such branch, or the file is none that can be read.
            NotAllowedError: the person is of another branch.
        """
        at = self.reconciling.open(run)
        who = person_of(at, at.branch(branch).name, by)
        content = _content(path)
        if via == PHOTO:
            return self._keep_picture(at, branch, content, name=path.name, by=who)
        if via == "paper":
            content = _typed(path, content, who, self.reconciling.clock.now())
        return self._take(run, branch, content, name=path.name, by=who, via=via)

    def _keep_picture(self, at: Open, branch: str, content: bytes, *, name: str, by: str) -> Branch:
        sha256 = self.store.keep(content)
        data = {"branch": branch, "sha256": sha256, "name": name, "by": by, "via": PHOTO}
        told = {**data, "size_bytes": len(content)}

        def decide(now: Open) -> Sequence[Draft]:
            if any(one.sha256 == sha256 for one in now.branch(branch).evidence):
                return ()
            return [Draft(Kind.RECONCILE_RECEIVED, now.session.step, data=told)]

        return self.reconciling.write(at.record.id, decide).branch(branch)

    def load_database(self, run: str, branch: str, *, by: str) -> Branch:
        """Ask a branch's own database for what it did, keep the answer, and compare the branch.

        Raises:
            UserError: no such branch, or it is not declared how its database is asked.
            NotAllowedError: the person is of another branch.
            EvidenceError: its database does not answer.
        """
        at = self.reconciling.open(run)
        name = at.branch(branch).name
        who = person_of(at, name, by)
        if name not in have_databases(at.record.inventory):
            raise UserError(
                f"it is not declared how the database of branch '{name}' is asked",
                hint="Give it 'database:' in branches.yaml and a type of ledgers.yaml whose source "
                "is postgresql or mysql, then type: dr amend RUN --because '...'",
            )
        asked = self._ask(at, [name])
        if name in asked.unknown:
            raise EvidenceError(asked.unknown[name], hint="Hand in a file instead, or ask again.")
        content = asked.answers[name]
        return self._take(run, name, content, name="database", by=who, via="database")

    def tell(
        self,
        run: str,
        branch: str,
        total: tuple[str, int, str | None, str, str],
        *,
        by: str,
        heard_by: Sequence[str],
    ) -> Branch:
        """Take the total of a day that somebody of the branch said on the telephone.

        Args:
            total: the day, how many, their sum, the first and the last form.

        Raises:
            UserError: the day or the sum is none.
            NotAllowedError: the person is of another branch, or a witness is unknown.
            EvidenceError: fewer than two other people heard it.
        """
        from dr.reconcile.by_hand import told_totals

        at = self.reconciling.open(run)
        who = person_of(at, at.branch(branch).name, by)
        directory = Directory(at.record.inventory)
        heard = [known_person(directory, name) for name in heard_by]
        now = self.reconciling.clock.now()
        content = told_totals([_total(*total)], told_by=who, heard_by=heard, at=now)
        return self._take(run, branch, content, name="totals", by=who, via="telephone")

    def write_template(self, run: str, branch: str, path: Path) -> None:
        """Write an empty ledger for a branch to fill in: a workbook where ``path`` ends in .xlsx.

        Raises:
            UserError: it is not declared how the branch writes, or ``path`` is there already.
        """
        from dr.reconcile.templates import csv_template, xlsx_template

        bureau = self._declared(self.reconciling.open(run), branch)
        make = xlsx_template if path.suffix.lower() == ".xlsx" else csv_template
        content = make(bureau.type_of(branch), bureau.shape_of(branch))
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {(error.strerror or '').lower()}",
                hint="Name a file that is not there yet, in a folder that you may write.",
            ) from None

    def preview(self, run: str, branch: str, path: Path) -> Preview:
        """Return how the first rows of a file would be understood; nothing is kept.

        Raises:
            EvidenceError: it would be refused.
            UserError: it is not declared how the branch writes, or the file can not be read.
        """
        from dr.reconcile.intake import preview, read_evidence

        bureau = self._declared(self.reconciling.open(run), branch)
        kind, shape = bureau.type_of(branch), bureau.shape_of(branch)
        known_as = bureau.known_as(branch)
        reading = read_evidence(branch, _content(path), kind, shape, known_as=known_as)
        return preview(reading, kind, shape)

    def _declared(self, at: Open, branch: str) -> Bureau:
        bureau = self.bureau(at)
        if not bureau.knows(at.branch(branch).name):
            raise UserError(
                f"it is not declared how branch '{branch}' writes its business down",
                hint="Give it a 'type:' in branches.yaml that ledgers.yaml has.",
            )
        return bureau

    def _take(
        self, run: str, branch: str, content: bytes, *, name: str, by: str, via: str
    ) -> Branch:
        """Keep evidence, journal it, and compare the branch with all that it handed in."""
        at = self.reconciling.open(run)
        data: dict[str, Any] = {
            "branch": branch,
            "sha256": self.store.keep(content),
            "name": name,
            "size_bytes": len(content),
            "by": by,
            "via": via,
        }
        problem = self._problem(at, branch, content, via)
        if problem:
            data["problem"] = problem
        if not _came_last(at.branch(branch), via, data["sha256"], problem):
            self.reconciling.write(run, lambda at: list(_taken(at, data)))
        if problem:
            raise UserError(
                f"{name} is no evidence of {branch}: {problem}",
                hint="It is kept all the same; hand in another with the same command.",
            )
        return self.recheck(run, [branch])[branch]

    def _problem(self, at: Open, branch: str, content: bytes, via: str = "sftp") -> str:
        """Return why evidence can not be understood; "" when it can."""
        bureau = self.bureau(at)
        if bureau.knows(branch):
            return bureau.problem(branch, content, via)
        if via in {"paper", "telephone"}:
            return "it is not declared how the branch writes (ledgers.yaml)"
        read = self._understood(at, branch, content)
        return read if isinstance(read, str) else ""

    def bureau(self, at: Open) -> Bureau:
        """Return what is to be known for a comparison of the session."""
        return bureau_of(at, self._secret)

    def _ask(self, at: Open, branches: Iterable[str]) -> Asked:
        point, back = at.session.recovery_point, at.session.window[1]
        return ask(self.bureau(at), branches, recovery_point=point, service_back=back)

    def _secret(self, reference: Mapping[str, Any]) -> Secret:
        return self.secrets.resolve(str(reference.get("secret", "")))

    def _understood(self, at: Open, branch: str, content: bytes) -> Any:
        declared = (at.record.inventory.get("branches") or {}).get(branch) or {}
        return understood(branch, content, declared, sequence_names(service_at(at)))

    def fetch(self, run: str, branches: Sequence[str] = ()) -> dict[str, str]:
        """Fetch the ledgers of branches whose host or database can be read, and compare.

        Returns:
            The branches whose ledger could not be read, which were compared with what they had
            handed in before; and why.

        Raises:
            UserError: no such branch.
        """
        at = self.reconciling.open(run)
        wanted = [at.branch(name).name for name in branches] or list(at.session.branches)
        declared = at.record.inventory.get("branches") or {}
        asked = self._ask(at, set(have_databases(at.record.inventory)) & set(wanted))
        answered = {*asked.answers, *asked.unknown}
        some = {n: declared[n] for n in wanted if n in declared and n not in answered}
        inventory = {**at.record.inventory, "branches": some}
        found = collect(self.connections, service_at(at), inventory)
        drafts = [
            *self.received(at, found.contents, "sftp"),
            *self.received(at, asked.answers, "database"),
        ]
        if drafts:
            because = f"ledgers of {len(drafts)} branches were read again"
            self.reconciling.write(run, lambda now: [*opened_again(now, "dr", because), *drafts])
        self.recheck(run, branches)
        unread = {n: why for n, why in found.unknown.items() if n not in found.contents}
        return {**unread, **asked.unknown}

    def received(
        self,
        at: Open,
        found: Mapping[str, bytes],
        via: str,
        *,
        name: str = "ledger",
        by: str = "dr",
    ) -> Iterator[Draft]:
        """Keep what came and yield its receipt, unless the same came last."""
        for branch, content in sorted(found.items()):
            sha256, problem = self.store.keep(content), self._problem(at, branch, content, via)
            if _came_last(at.branch(branch), via, sha256, problem):
                continue
            data = {"branch": branch, "sha256": sha256, "name": name, "by": by, "via": via}
            told = {**data, "problem": problem} if problem else data
            yield Draft(Kind.RECONCILE_RECEIVED, at.session.step, data=told)

    def forms(self, run: str) -> list[BranchForms]:
        """Return the numbered forms of every branch, with how many of them were used.

        Raises:
            UserError: the inventory of the run has no register of forms.
            ActionError: the database does not answer.
        """
        at = self.reconciling.open(run)
        blocks: Sequence[Mapping[str, Any]] = at.record.inventory.get("serial_blocks") or ()
        if not blocks:
            raise UserError(
                f"the inventory of run {at.record.id} has no register of forms",
                hint="Put serial-blocks.csv beside branches.yaml before the next run.",
            )
        ranges = [range_of(block) for block in blocks]
        used = self.bureau(at).used_forms(host_of(at.session), ranges)
        return forms_of(blocks, at.session, used)

    def recheck(self, run: str, branches: Sequence[str] = ()) -> dict[str, Branch]:
        """Compare branches again, by their newest evidence that could be understood.

        Killed half-way nothing of it is journalled, and the session stands as it stood.  Serial
        numbers are audited only when all branches are compared.

        Raises:
            UserError: no such branch.
            ActionError: the database does not answer.
        """
        at = self.reconciling.open(run)
        wanted = [at.branch(name).name for name in branches] or list(at.session.branches)
        pieces = {name: counting(at.branch(name)) for name in wanted}
        results = self._compared(at, {n: p for n, p in pieces.items() if p}, not branches)
        step = at.session.step

        def decide(now: Open) -> Sequence[Draft]:
            drafts = [
                Draft(Kind.RECONCILE_COMPARED, step, data={"branch": name, **result})
                for name, result in sorted(results.items())
                if name not in pieces or counting(now.branch(name)) == pieces[name]
            ]  # whoever handed in another piece meanwhile compares with it
            shows = any(_shows_more(now, draft.data) for draft in drafts)
            because = "a comparison showed more than what was settled"
            return [*(opened_again(now, "dr", because) if shows else ()), *drafts]

        done = self.reconciling.write(run, decide)
        return {name: done.branch(name) for name in wanted}

    def _compared(
        self, at: Open, evidence: Mapping[str, Sequence[Evidence]], everybody: bool
    ) -> Mapping[str, Mapping[str, Any]]:
        bureau, session = self.bureau(at), at.session
        known = {
            name: [(self.store.path(one.sha256), one.via) for one in pieces]
            for name, pieces in evidence.items()
            if bureau.knows(name)
        }
        for pieces in evidence.values():
            for one in pieces:
                self.store.read(one.sha256)  # refuses what was changed after it was kept
        results: dict[str, Mapping[str, Any]] = {}
        if known:
            results |= bureau.compare(
                at.record.id,
                known,
                host=host_of(session),
                recovery_point=session.recovery_point,
                service_back=session.window[1],
                expected=sorted(session.branches if everybody else known),
                everybody=everybody,
            )
        if known and everybody:  # what nobody awaits has no evidence: its cases may be gone
            nothing: Mapping[str, Any] = {
                "evidence": "",
                "entries": None,
                "cases": [],
                "unasked": [],
            }
            strangers = [n for n, b in session.branches.items() if not b.owes and b.open_cases]
            results |= {n: nothing for n in strangers if n not in results}
        plain = {n: pieces[0].sha256 for n, pieces in evidence.items() if n not in known}
        if plain:
            ledgers = {n: self._understood(at, n, self.store.read(h)) for n, h in plain.items()}
            found = compare_branches(
                self.connections.observer(host_of(session)),
                service_at(at),
                at.record.inventory.get("branches") or {},
                Collection(ledgers, {}),
                session.window[0],
            )
            results |= {n: result_data(at.record.id, r, plain[n]) for n, r in found.items()}
        return results


def _content(path: Path) -> bytes:
    content = read_given(path, _MOST_BYTES)
    if len(content) > _MOST_BYTES:
        raise UserError(
            f"{path} is larger than {_MOST_BYTES >> 20} MiB",
            hint="Let the branch hand in only what it did since the beginning of the window.",
        )
    return content


def _taken(at: Open, data: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield the receipt of a file; one that comes late opens the session again."""
    yield from opened_again(at, str(data["by"]), f"a late ledger of {data['branch']}")
    yield Draft(Kind.RECONCILE_RECEIVED, at.session.step, data=data)


def opened_again(at: Open, by: str, because: str) -> list[Draft]:
    """Return what opens a closed session again; nothing when it is open."""
    if at.session.closed is None:
        return []
    data = {"by": by, "because": because}
    return [Draft(Kind.RECONCILE_REOPENED, at.session.step, data=data)]


def _shows_more(at: Open, compared: Mapping[str, Any]) -> bool:
    """Whether a comparison shows something that nobody has settled by agreement."""
    branch = at.session.branches.get(str(compared["branch"]))
    known = branch.cases if branch is not None else {}
    found = (known.get(str(case["id"])) for case in compared.get("cases") or ())
    return any(case is None or case.how != "accepted" for case in found)


def _sort(via: str) -> str:
    return "ledger" if via in _LEDGERS else via


def _came_last(branch: Branch, via: str, sha256: str, problem: str) -> bool:
    """Whether the newest evidence of this sort is the same, and was understood alike."""
    same_sort = [one for one in branch.evidence if _sort(one.via) == _sort(via)]
    return bool(same_sort) and (same_sort[-1].sha256, same_sort[-1].problem) == (sha256, problem)


def counting(branch: Branch) -> list[Evidence]:
    """Return what counts of a branch's evidence: the newest that was understood of each kind.

    Totals by telephone count only while there is no whole account with lines.
    """
    newest: dict[str, Evidence] = {}
    for one in branch.evidence:
        if one.sha256 and not one.problem:
            newest[_sort(one.via)] = one
    lines = [newest[kind] for kind in ("ledger", "paper", "queue", COPY) if kind in newest]
    told = [newest[kind] for kind in ("telephone",) if kind in newest]
    return lines if any(one.via not in PARTIAL for one in lines) else [*told, *lines]


def _total(day: str, count: int, amount: str | None, first: str, last: str) -> Total:
    from dr.reconcile.by_hand import Total

    try:
        date.fromisoformat(day)
        total = None if amount is None else Decimal(amount)
        if total is not None and not total.is_finite():
            raise ValueError
    except (ValueError, InvalidOperation):
        raise UserError(
            f"'{day}' with a sum of '{amount}' is no total of a day",
            hint="Write the day as 2026-11-25 and the sum as 1234.50.",
        ) from None
    return Total(day, count, total, first, last)


def _typed(path: Path, content: bytes, by: str, at: datetime) -> bytes:
    """Return receipts that were typed into a CSV sheet, in our words, as evidence."""
    from dr.reconcile.by_hand import typed_receipts

    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is no sheet of typed receipts: {error}",
            hint="Write a CSV in UTF-8 whose header has the columns of ledgers.yaml.",
        ) from None
    said = [{k: v for k, v in row.items() if k and isinstance(v, str) and v} for row in rows]
    return typed_receipts(said, by=by, at=at)


def bureau_of(at: Open, secret: Callable[[Any], Secret]) -> Bureau:
    """Return what is to be known for a comparison of the session; ``secret`` resolves references.

    Raises:
        RefusedError: the run's inventory has no such service.
    """
    start, point = at.session.window[0], at.session.recovery_point
    overlap = point - start if start and point else timedelta(hours=1)
    return Bureau(at.record.inventory, service_at(at), secret, overlap)


def service_at(at: Open) -> Service:
    """Return the service that the session is about.

    Raises:
        RefusedError: the run's inventory has no such service.
    """
    return read_service(at.record.inventory, at.session.service)


def host_of(session: Session) -> str:
    if not session.host:
        raise UserError(
            "nobody knows on which host the recovered database is",
            hint="Name it with `host:` in the step that opens the reconciliation.",
        )
    return session.host
