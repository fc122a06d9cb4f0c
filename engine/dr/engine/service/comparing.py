"""What branches hand in, and the comparison with the recovered database, anew at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dr.engine.actions.branch_cases import result_data
from dr.engine.actions.branch_comparison import Bureau
from dr.engine.actions.branch_ledgers import Collection, collect, sequence_names, understood
from dr.engine.actions.central_records import compare_branches
from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.service import Service, read_service
from dr.engine.core.errors import UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Secrets
from dr.engine.core.reconciliation import Branch, Session
from dr.engine.core.values import Secret
from dr.engine.service.forms import BranchForms, forms_of
from dr.engine.service.reconciling import Open, Reconciling, person_of
from dr.inventory.ordinary import open_ordinary
from dr.reconcile.evidence import EvidenceStore

_MOST_BYTES = 256 << 20


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

    def load(self, run: str, branch: str, path: Path, *, by: str, via: str = "file") -> Branch:
        """Take a file of a branch as evidence and compare the branch with it.

        A file that can not be understood is kept and journalled as such; what an earlier file
        showed stands.

        Raises:
            UserError: no such branch, or the file is none that can be read.
            NotAllowedError: the person is of another branch.
        """
        at = self.reconciling.open(run)
        who = person_of(at, at.branch(branch).name, by)
        content = _content(path)
        data: dict[str, Any] = {
            "branch": branch,
            "sha256": self.store.keep(content),
            "name": path.name,
            "size_bytes": len(content),
            "by": who,
            "via": via,
        }
        problem = self._problem(at, branch, content)
        if problem:
            data["problem"] = problem
        known = at.branch(branch).evidence
        if not known or (known[-1].sha256, known[-1].problem) != (data["sha256"], problem):
            self.reconciling.write(run, lambda at: list(_taken(at, data)))
        if problem:
            raise UserError(
                f"{path} is no ledger of {branch}: {problem}",
                hint="It is kept as evidence; hand in another file with the same command.",
            )
        return self.recheck(run, [branch])[branch]

    def _problem(self, at: Open, branch: str, content: bytes) -> str:
        """Return why a file can not be understood; "" when it can."""
        bureau = self._bureau(at)
        if bureau.knows(branch):
            return bureau.problem(branch, content)
        read = self._understood(at, branch, content)
        return read if isinstance(read, str) else ""

    def _bureau(self, at: Open) -> Bureau:
        start, point = at.session.window[0], at.session.recovery_point
        overlap = point - start if start and point else timedelta(hours=1)
        return Bureau(at.record.inventory, service_at(at), self._secret, overlap)

    def _secret(self, reference: Mapping[str, Any]) -> Secret:
        return self.secrets.resolve(str(reference.get("secret", "")))

    def _understood(self, at: Open, branch: str, content: bytes) -> Any:
        declared = (at.record.inventory.get("branches") or {}).get(branch) or {}
        return understood(branch, content, declared, sequence_names(service_at(at)))

    def fetch(self, run: str, branches: Sequence[str] = ()) -> dict[str, Branch]:
        """Fetch the ledgers of branches whose host can be read, and compare.

        Raises:
            UserError: no such branch.
        """
        at = self.reconciling.open(run)
        wanted = [at.branch(name).name for name in branches] or list(at.session.branches)
        declared = at.record.inventory.get("branches") or {}
        some = {name: declared[name] for name in wanted if name in declared}
        inventory = {**at.record.inventory, "branches": some}
        found = collect(self.connections, service_at(at), inventory)
        drafts = list(self._received(at, found))
        self.reconciling.write(run, lambda _at: drafts)
        return self.recheck(run, branches)

    def _received(self, at: Open, found: Collection) -> Iterator[Draft]:
        for name, content in sorted(found.contents.items()):
            sha256, problem = self.store.keep(content), self._problem(at, name, content)
            known = at.branch(name).evidence
            if known and (known[-1].sha256, known[-1].problem) == (sha256, problem):
                continue
            data = {"branch": name, "sha256": sha256, "name": "ledger", "by": "dr", "via": "sftp"}
            yield from _taken(at, {**data, "problem": problem} if problem else data)

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
        ranges = [(int(block["first"]), int(block["last"])) for block in blocks]
        used = self._bureau(at).used_forms(_host(at.session), ranges)
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
        newest = {name: _newest(at.branch(name)) for name in wanted}
        results = self._compared(at, {n: h for n, h in newest.items() if h}, not branches)
        drafts = [
            Draft(Kind.RECONCILE_COMPARED, at.session.step, data={"branch": name, **result})
            for name, result in sorted(results.items())
        ]
        done = self.reconciling.write(run, lambda _at: drafts)
        return {name: done.branch(name) for name in wanted}

    def _compared(
        self, at: Open, evidence: Mapping[str, str], everybody: bool
    ) -> Mapping[str, Mapping[str, Any]]:
        bureau, session = self._bureau(at), at.session
        known = {n: self.store.path(h) for n, h in evidence.items() if bureau.knows(n)}
        results: dict[str, Mapping[str, Any]] = {}
        if known:
            results |= bureau.compare(
                at.record.id,
                known,
                host=_host(session),
                recovery_point=session.recovery_point,
                service_back=session.window[1],
                expected=sorted(session.branches if everybody else known),
                everybody=everybody,
            )
        plain = {n: h for n, h in evidence.items() if n not in known}
        if plain:
            ledgers = {n: self._understood(at, n, self.store.read(h)) for n, h in plain.items()}
            found = compare_branches(
                self.connections.observer(_host(session)),
                service_at(at),
                at.record.inventory.get("branches") or {},
                Collection(ledgers, {}),
                session.window[0],
            )
            results |= {n: result_data(at.record.id, r, plain[n]) for n, r in found.items()}
        return results


def _content(path: Path) -> bytes:
    try:
        with open_ordinary(path) as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"the file {path} cannot be read: {(error.strerror or '').lower()}",
            hint=f"Type 'ls -l {path}' to see why.",
        ) from None
    if len(content) > _MOST_BYTES:
        raise UserError(
            f"{path} is larger than {_MOST_BYTES >> 20} MiB",
            hint="Let the branch hand in only what it did since the beginning of the window.",
        )
    return content


def _taken(at: Open, data: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield the receipt of a file; one that comes late opens the session again."""
    step = at.session.step
    if at.session.closed is not None:
        because = f"a late ledger of {data['branch']}"
        yield Draft(Kind.RECONCILE_REOPENED, step, data={"by": data["by"], "because": because})
    yield Draft(Kind.RECONCILE_RECEIVED, step, data=data)


def _newest(branch: Branch) -> str:
    understood_ones = [e for e in branch.evidence if not e.problem and e.sha256]
    return understood_ones[-1].sha256 if understood_ones else ""


def service_at(at: Open) -> Service:
    """Return the service that the session is about.

    Raises:
        RefusedError: the run's inventory has no such service.
    """
    return read_service(at.record.inventory, at.session.service)


def _host(session: Session) -> str:
    if not session.host:
        raise UserError(
            "nobody knows on which host the recovered database is",
            hint="Name it with `host:` in the step that opens the reconciliation.",
        )
    return session.host
