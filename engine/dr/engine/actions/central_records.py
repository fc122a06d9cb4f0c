"""What the recovered database has of each branch, by the service's declared query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dr.engine.actions.branch_ledgers import Collection, sequence_names
from dr.engine.actions.hosts import Observer
from dr.engine.actions.postgres.query import quoted, rows
from dr.engine.actions.postgres.service import Service
from dr.engine.core.errors import RefusedError
from dr.engine.core.values import utc_text
from dr.reconcile.comparison import BranchResult, Record, compare
from dr.reconcile.ledger import Ledger, Shape

_PAGE = 300  # rows of one answer: an observer keeps 64 KiB of it
_LOOK = timedelta(seconds=30)


def compare_branches(
    observer: Observer,
    service: Service,
    branches: Mapping[str, Any],
    collection: Collection,
    since: datetime | None,
) -> dict[str, BranchResult]:
    """Compare each ledger that was read with the database on ``observer``'s host.

    ``since`` bounds what is asked of the database: business before it is taken for present.  None
    compares everything from a ledger's first moment on.
    """
    results: dict[str, BranchResult] = {}
    for name, ledger in collection.ledgers.items():
        shape = Shape.of((branches.get(name) or {}).get("ledger") or {})
        start = since or min((e.at for e in ledger.entries if e.at is not None), default=None)
        found = central_records(observer, service, name, shape.key, start)
        results[name] = compare(_window(ledger, since), found)
    return results


def _window(ledger: Ledger, since: datetime | None) -> Ledger:
    if since is None:
        return ledger
    inside = tuple(e for e in ledger.entries if e.at is None or e.at >= since)
    return replace(ledger, entries=inside)


def central_records(
    observer: Observer, service: Service, branch: str, key: str, since: datetime | None
) -> list[Record]:
    """Return what the database has of ``branch`` from ``since`` on, page by page.

    Raises:
        RefusedError: the service declares no query for it.
        RetryableError: the database does not answer.
    """
    declared = (service.business.get("ledger") or {}).get("query")
    if not declared:
        raise RefusedError(
            f"service '{service.id}' declares no query for what branches did",
            hint="Add `business: { ledger: { query: SELECT … } }` to it in services.yaml.",
        )
    moment = utc_text(since) if since else "-infinity"
    query = str(declared).strip().rstrip(";")
    query = query.replace("%(branch)s", quoted(branch)).replace("%(since)s", quoted(moment))
    numbers = sequence_names(service)
    found: list[Record] = []
    last: str | None = None
    while True:
        after = "" if last is None else f'WHERE q."{key}"::text COLLATE "C" > {quoted(last)}'
        page = (
            f"SELECT q.* FROM ({query}) AS q {after} "  # noqa: S608 - declared by the bureau
            f'ORDER BY q."{key}"::text COLLATE "C" LIMIT {_PAGE}'
        )
        got = rows(observer, service.database, page, timeout=_LOOK)
        found.extend(_record(row, key, numbers) for row in got)
        if len(got) < _PAGE:
            return found
        last = str(got[-1][key])


def _record(row: Mapping[str, Any], key: str, numbers: list[str]) -> Record:
    return Record(
        key=str(row[key]),
        parcel=str(row.get("parcel") or ""),
        numbers={n: int(row[n]) for n in numbers if row.get(n) is not None},
    )
