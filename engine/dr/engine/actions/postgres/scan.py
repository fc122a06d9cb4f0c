"""Is the data of a server whole?  Every page is read; what could not be checked is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dr.engine.actions.hosts import Observer
from dr.engine.actions.observations import PG_SCAN
from dr.engine.actions.postgres.query import rows
from dr.engine.actions.postgres.service import Database
from dr.engine.core.errors import ActionError, RetryableError

_DAMAGE = ("invalid page", "could not read block", "checksum", "corrupt", "Input/output error")

_HAS_AMCHECK = "SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'amcheck'"  # noqa: E501

# bt_index_check takes the weakest lock and works on a standby; a damaged index raises an error
_INDEXES = (
    "SELECT count(*) AS n"
    " FROM (SELECT {schema}.bt_index_check(i.indexrelid::regclass)::text AS said"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
    " WHERE a.amname = 'btree' AND i.indisvalid AND c.relpersistence = 'p') AS checked"
)
_HEAPS = (
    "SELECT c.oid::regclass::text AS relation, v.blkno, v.msg FROM pg_class c,"
    " LATERAL {schema}.verify_heapam(c.oid::regclass) AS v"
    " WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' LIMIT 5"
)


@dataclass(frozen=True, slots=True)
class Scan:
    """``verdict`` is intact, damaged or unknown; ``basis`` says what was looked at."""

    verdict: str
    basis: str


def scan(observer: Observer, database: Database, *, within: timedelta) -> Scan:
    """Read every page of every table and check every B-tree index, as far as time allows.

    Reading finds pages whose checksum fails; amcheck, where the extension is installed, finds
    damage that was there before the checksum was made, and so may have been replicated.
    """
    third = within / 3
    try:
        read = observer.observe(
            PG_SCAN,
            timeout=third,
            bin_dir=database.bin_dir,
            os_user=database.os_user,
            socket_dir=database.socket_dir,
            port=str(database.port),
            admin_user=database.admin_user,
            database=database.name,
            statement_timeout_ms=str(int(third.total_seconds() * 1000)),
        )
    except ActionError as error:
        return Scan("unknown", f"the scan could not end: {error.message}")
    if not read.ok:
        return _failed(read.stderr)
    tables, _, counted = read.stdout.strip().partition("|")
    basis = f"read every page of {tables} tables ({counted} rows)"
    return _with_amcheck(observer, database, third, basis)


def _with_amcheck(observer: Observer, database: Database, third: timedelta, basis: str) -> Scan:
    try:
        found = rows(observer, database, _HAS_AMCHECK, timeout=third)
        if not found:
            return Scan("intact", f"{basis}; amcheck is not installed, indexes were not checked")
        schema = '"' + str(found[0]["schema"]).replace('"', '""') + '"'
        indexes = rows(observer, database, _INDEXES.format(schema=schema), timeout=third)
        broken = rows(observer, database, _HEAPS.format(schema=schema), timeout=third)
    except RetryableError as error:
        failed = _failed(error.message)
        return Scan(failed.verdict, f"{basis}; {failed.basis}")
    except ActionError as error:
        return Scan("unknown", f"{basis}; amcheck could not run: {error.message}")
    if broken:
        first = broken[0]
        return Scan(
            "damaged", f"amcheck: {first['relation']} block {first['blkno']}: {first['msg']}"
        )
    return Scan("intact", f"{basis} and {indexes[0]['n']} indexes with amcheck")


def _failed(said: str) -> Scan:
    words = said.strip().splitlines()[-1] if said.strip() else "no answer"
    # an index that lacks a tuple, or a page out of order, is said in these words by amcheck
    signs = (*_DAMAGE, "lacks matching index tuple", "item order invariant", "high key invariant")
    if any(sign in said for sign in signs):
        return Scan("damaged", words)
    return Scan("unknown", f"the check could not end: {words}")
