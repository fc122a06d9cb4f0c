"""What one host of a service looks like right now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dr.engine.actions.hosts import STATE_ROOT, Observer, StorageError
from dr.engine.actions.observations import ADDRESSES
from dr.engine.actions.postgres.lsn import parse_lsn
from dr.engine.actions.postgres.query import SilentDatabaseError, rows
from dr.engine.actions.postgres.service import Service
from dr.engine.core.errors import ActionError
from dr.engine.core.values import parse_utc, utc_text

# pg_control_checkpoint() lags behind a promotion until the next checkpoint: a primary's timeline is
# read from the name of the segment it writes, a standby's from what it receives.
_FACTS_SQL = """
SELECT pg_is_in_recovery() AS in_recovery,
  (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
  CASE WHEN pg_is_in_recovery() THEN
    coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
             (SELECT timeline_id FROM pg_control_checkpoint()))::text
  ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline,
  CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS written,
  pg_last_wal_receive_lsn() AS received,
  pg_last_wal_replay_lsn() AS replayed,
  extract(epoch FROM pg_last_xact_replay_timestamp())::text AS replayed_to,
  extract(epoch FROM (SELECT checkpoint_time FROM pg_control_checkpoint()))::text AS checkpoint_at,
  (SELECT latest_end_lsn FROM pg_stat_wal_receiver) AS primary_end,
  extract(epoch FROM (SELECT last_msg_receipt_time FROM pg_stat_wal_receiver))::text AS contact_at,
  (SELECT status FROM pg_stat_wal_receiver) AS receiver,
  (SELECT setting FROM pg_settings WHERE name = 'primary_slot_name') AS slot,
  (SELECT setting FROM pg_settings WHERE name = 'data_checksums') AS checksums,
  (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
  (SELECT sum(checksum_failures) FROM pg_stat_database)::text AS checksum_failures
"""


@dataclass(frozen=True)
class Member:
    """One look at one host.  None is what could not be seen, never a default.

    Attributes:
        answers: the database answered a query.
        because: why the host or its database did not answer.
        written / received / replayed: positions in the log, in bytes.
        replayed_to: commit time of the last transaction replayed.
        checkpoint_at: when the checkpoint was made that the host has on disk; all before is there.
        primary_end: the position that the primary last told this standby.
        segment_bytes: the size of a log segment.
        contact_at: when the standby last heard from its primary.
        fenced: the fence mark of the service lies on the host.
        spare: spare storage, no declared member: primary only when seen to be.
    """

    host: str
    at: datetime
    reachable: bool = False
    answers: bool = False
    because: str = ""
    in_recovery: bool | None = None
    system_id: str | None = None
    timeline: int | None = None
    written: int | None = None
    received: int | None = None
    replayed: int | None = None
    replayed_to: datetime | None = None
    checkpoint_at: datetime | None = None
    primary_end: int | None = None
    contact_at: datetime | None = None
    receiver: str | None = None
    slot: str = ""
    segment_bytes: int | None = None
    checksums: bool | None = None
    checksum_failures: int | None = None
    holds_address: bool | None = None
    fenced: bool | None = None
    site: str = ""
    spare: bool = False

    @property
    def role(self) -> str:
        """``primary``, ``standby`` or ``unknown``, by observation alone."""
        if not self.answers or self.in_recovery is None:
            return "unknown"
        return "standby" if self.in_recovery else "primary"

    def reaches(self, end: tuple[int, int] | None) -> bool:
        """Whether the host's own log reaches a timeline and position; unknown is no."""
        return end is not None and (self.timeline or 0, self.end or 0) >= end

    @property
    def end(self) -> int | None:
        """The furthest position that the host holds on its own disk."""
        known = [p for p in (self.written, self.received, self.replayed) if p is not None]
        return max(known, default=None)

    def to_data(self) -> dict[str, Any]:
        """Return JSON data for facts and expressions."""
        return {
            "host": self.host,
            "at": utc_text(self.at),
            "reachable": self.reachable,
            "answers": self.answers,
            "because": self.because,
            "role": self.role,
            "system_id": self.system_id,
            "timeline": self.timeline,
            "replayed_to": None if self.replayed_to is None else utc_text(self.replayed_to),
            "holds_address": self.holds_address,
            "fenced": self.fenced,
            "site": self.site,
        }


def mark_path(inventory: Mapping[str, Any], host: str, service: str) -> str:
    """Return where the fence mark of ``service`` lies on ``host``."""
    variables = (inventory.get("hosts") or {}).get(host, {}).get("vars") or {}
    return f"{variables.get('dr_state_dir') or STATE_ROOT}/fenced/{service}"


def look_at(
    observer: Observer,
    service: Service,
    inventory: Mapping[str, Any],
    *,
    now: datetime,
    timeout: timedelta,
) -> Member:
    """Look at one host.  Never raises for a dead one."""
    host = observer.host
    spare = host not in service.members
    site = str((inventory.get("hosts") or {}).get(host, {}).get("site") or "")
    try:
        holds = (
            None
            if service.address is None
            else holds_address(observer, service.address.ip, timeout=timeout)
        )
    except ActionError as error:
        return Member(host, now, because=error.message, site=site, spare=spare)
    seen: dict[str, Any] = {
        "holds_address": holds,
        "site": site,
        "spare": spare,
        "reachable": True,
    }
    seen["fenced"] = is_marked(observer, mark_path(inventory, host, service.id), timeout=timeout)
    try:
        facts = rows(observer, service.database, _FACTS_SQL, timeout=timeout, name="postgres")[0]
    except SilentDatabaseError as error:
        return Member(host, now, because=error.said, **seen)
    except ActionError as error:
        return Member(host, now, because=error.message, **seen)
    return Member(host, now, answers=True, **seen, **_facts(facts))


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    in_recovery = bool(row["in_recovery"])
    timeline = row["timeline"]
    failures = row["checksum_failures"]
    return {
        "in_recovery": in_recovery,
        "system_id": row["system_id"],
        # the name of a segment carries the timeline in hexadecimal, the views in decimal
        "timeline": None if timeline is None else int(timeline, 10 if in_recovery else 16),
        "written": parse_lsn(row["written"]),
        "received": parse_lsn(row["received"]),
        "replayed": parse_lsn(row["replayed"]),
        "replayed_to": _moment(row["replayed_to"]),
        "checkpoint_at": _moment(row["checkpoint_at"]),
        "primary_end": parse_lsn(row["primary_end"]),
        "contact_at": _moment(row["contact_at"]),
        "receiver": row["receiver"],
        "slot": row["slot"] or "",
        "segment_bytes": int(row["segment_bytes"]),
        "checksums": row["checksums"] == "on",
        "checksum_failures": None if failures is None else int(failures),
    }


def _moment(epoch: str | None) -> datetime | None:
    if epoch is None:
        return None
    whole, _, fraction = epoch.partition(".")
    base = parse_utc("1970-01-01T00:00:00Z")
    return base + timedelta(seconds=int(whole), microseconds=int((fraction + "000000")[:6]))


def holds_address(observer: Observer, ip: str, *, timeout: timedelta) -> bool:
    """Return whether the host carries the address ``ip``.

    Raises:
        ActionError: the host does not answer.
    """
    done = observer.observe(ADDRESSES, timeout=timeout)
    links = json.loads(done.stdout or "[]")
    return any(a.get("local") == ip for link in links for a in link.get("addr_info", ()))


def is_marked(observer: Observer, path: str, *, timeout: timedelta) -> bool | None:
    """Return whether the fence mark is there; None when its storage or the host does not say."""
    try:
        return observer.stat(path, timeout=timeout) is not None
    except (StorageError, ActionError):
        return None
