"""What branches hand in, and the comparison with the recovered database, anew at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.engine.actions.branch_cases import result_data
from dr.engine.actions.branch_ledgers import Collection, collect, sequence_names, understood
from dr.engine.actions.central_records import compare_branches
from dr.engine.actions.hosts import Connections
from dr.engine.actions.postgres.service import Service, read_service
from dr.engine.core.errors import UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.reconciliation import Branch, Session
from dr.engine.service.evidence import keep_file
from dr.engine.service.reconciling import Open, Reconciling, person_of

VIA = ("file", "paper", "telephone")
"""How evidence may come that is not fetched."""


@dataclass(frozen=True)
class Comparing:
    """Use cases that read evidence and ask the database; never writes to it.

    Args:
        connections: able to look only.
        keep: the folder of evidence.
    """

    reconciling: Reconciling
    connections: Connections
    keep: Path

    def load(self, run: str, branch: str, path: Path, *, by: str, via: str = "file") -> Branch:
        """Take a file of a branch as evidence and compare the branch with it.

        A file that can not be understood is kept and journalled as such; what an earlier file
        showed stands.

        Raises:
            UserError: no such branch, or the file can not be read.
            NotAllowedError: the person is of another branch.
        """
        at = self.reconciling.open(run)
        person_of(at, at.branch(branch).name, by)
        told = keep_file(path, self.keep)
        known = at.branch(branch).evidence
        if not known or known[-1].sha256 != told["sha256"] or known[-1].problem:
            content = (self.keep / told["sha256"]).read_bytes()
            read = self._understood(at, branch, content)
            data = {
                "branch": branch,
                "sha256": told["sha256"],
                "name": path.name,
                "size_bytes": told["size_bytes"],
                "by": person_of(at, branch, by),
                "via": via,
            }
            if isinstance(read, str):
                data["problem"] = read
            self.reconciling.write(run, lambda at: list(_taken(at, data)))
            if isinstance(read, str):
                raise UserError(
                    f"{path} is no ledger of {branch}: {read}",
                    hint="It is kept as evidence; hand in another file with the same command.",
                )
        return self.recheck(run, [branch])[branch]

    def _understood(self, at: Open, branch: str, content: bytes) -> Any:
        service = service_at(at)
        declared = (at.record.inventory.get("branches") or {}).get(branch) or {}
        return understood(branch, content, declared, sequence_names(service))

    def fetch(self, run: str, branches: Sequence[str] = ()) -> dict[str, Branch]:
        """Fetch the ledgers of branches whose host can be read, and compare them.

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
        return self.recheck(run, sorted(found.ledgers))

    def _received(self, at: Open, found: Collection) -> Iterator[Draft]:
        from dr.engine.actions.branch_cases import keep

        for name, content in sorted(found.contents.items()):
            sha256 = keep(self.keep, content)
            known = at.branch(name).evidence
            if known and known[-1].sha256 == sha256:
                continue
            data = {"branch": name, "sha256": sha256, "name": "ledger", "by": "dr", "via": "sftp"}
            if name in found.unknown:
                data["problem"] = found.unknown[name]
            yield Draft(Kind.RECONCILE_RECEIVED, at.session.step, data=data)

    def recheck(self, run: str, branches: Sequence[str] = ()) -> dict[str, Branch]:
        """Compare branches again, by their newest evidence that could be understood.

        The comparison is journalled branch by branch: killed half-way, what was compared stands.

        Raises:
            UserError: no such branch.
            ActionError: the database does not answer; the session stands as it stood.
        """
        at = self.reconciling.open(run)
        wanted = [at.branch(name).name for name in branches] or list(at.session.branches)
        ledgers: dict[str, Any] = {}
        evidence: dict[str, str] = {}
        for name in wanted:
            sha256 = _newest(at.branch(name))
            if sha256:
                read = self._understood(at, name, (self.keep / sha256).read_bytes())
                ledgers[name], evidence[name] = read, sha256
        results = compare_branches(
            self.connections.observer(_host(at.session)),
            service_at(at),
            at.record.inventory.get("branches") or {},
            Collection(ledgers, {}),
            at.session.window[0],
        )
        drafts = [
            Draft(
                Kind.RECONCILE_COMPARED,
                at.session.step,
                data={"branch": name, **result_data(at.record.id, result, evidence[name])},
            )
            for name, result in sorted(results.items())
        ]
        done = self.reconciling.write(run, lambda _at: drafts)
        return {name: done.branch(name) for name in wanted}


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
