"""Another copy of the database, such as the old primary's, as a witness of what branches did."""

from __future__ import annotations

from dataclasses import dataclass

from dr.engine.actions.branch_copies import CopyFindings, compare_copy
from dr.engine.core.errors import UserError
from dr.engine.core.reconciliation import COPY
from dr.engine.service.authority import known_person
from dr.engine.service.comparing import Comparing, host_of, opened_again
from dr.inventory.directory import Directory
from dr.inventory.strictyaml.validation import did_you_mean


@dataclass(frozen=True)
class Copies:
    """Use cases about copies; both databases are only read."""

    comparing: Comparing

    def compare(self, run: str, host: str, *, everything: bool = False) -> CopyFindings:
        """Compare the recovered database with another copy of it, where both lie.

        Raises:
            UserError: the inventory has no such host, or it is the recovered database's.
            ActionError: a database does not answer.
        """
        at = self.comparing.reconciling.open(run)
        hosts = at.record.inventory.get("hosts") or {}
        if host not in hosts:
            raise UserError(
                f"the inventory of this run has no host '{host}'",
                hint=did_you_mean(host, hosts, otherwise="Hosts are"),
            )
        if host == host_of(at.session):
            raise UserError(
                f"the recovered database itself is on {host}",
                hint="Name the host of another copy, such as the old primary.",
            )
        return compare_copy(
            self.comparing.bureau(at),
            at.record.id,
            host=host_of(at.session),
            copy=host,
            recovery_point=at.session.recovery_point,
            service_back=at.session.window[1],
            everything=everything,
        )

    def hand_in(self, run: str, host: str, found: CopyFindings, *, by: str) -> list[str]:
        """Take what a copy has more, or otherwise, as evidence of its branches, and compare them.

        A branch's own word goes first: of a copy counts what its ledger does not have.  Who
        handed nothing in has still not answered.

        Returns:
            The branches.

        Raises:
            NotAllowedError: the run's inventory does not know the person.
        """
        at = self.comparing.reconciling.open(run)
        who = known_person(Directory(at.record.inventory), by)
        taken = {n: own for n, own in sorted(found.own.items()) if n in at.session.branches}
        drafts = list(self.comparing.received(at, taken, COPY, name=host, by=who))
        if drafts:
            because = f"the copy on {host} has records of {len(drafts)} branches"
            self.comparing.reconciling.write(
                run, lambda now: [*opened_again(now, who, because), *drafts]
            )
        if taken:
            self.comparing.recheck(run, list(taken))
        return list(taken)
