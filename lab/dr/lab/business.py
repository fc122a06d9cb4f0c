"""What the lab's registration business needs when it comes back, in SQL that fits schema.sql."""

from __future__ import annotations

# Receipt 0 lies on the designated test parcel.  Run as the application, it proves that a case can
# be registered; it takes no receipt number, makes no second row, and is no legal record.
WRITE_CHECK = """\
INSERT INTO registration (receipt_no, branch, slip, clerk, parcel_no, kind, accepted_at)
VALUES (0, 'control', 'write-proof', 'dr', 'TEST-0000', 'test', clock_timestamp())
ON CONFLICT (receipt_no) DO UPDATE SET registered_at = clock_timestamp()"""

STAGE = "SELECT stage FROM service_state"


def _to(stage: str) -> str:
    return f"UPDATE service_state SET stage = '{stage}', changed_at = clock_timestamp()"  # noqa: S608


READ_ONLY = [_to("read_only")]
HELD = [_to("held")]
FULL = [
    """\
UPDATE parcel_hold SET released_at = clock_timestamp(), released_by = 'full opening'
WHERE released_at IS NULL""",
    _to("full"),
]

HELD_PARCELS = "SELECT parcel_no FROM parcel_hold WHERE released_at IS NULL"
RELEASE = """\
UPDATE parcel_hold SET released_at = clock_timestamp(), released_by = %(by)s
WHERE parcel_no = %(parcel)s AND released_at IS NULL"""

# %(branch)s and %(since)s are given by whoever asks; the columns are called as in LEDGER_COLUMNS
LEDGER = """\
SELECT r.slip AS key, r.receipt_no AS receipt, c.serial AS certificate, r.parcel_no AS parcel,
       r.kind AS kind, r.clerk AS clerk, r.accepted_at AS at, r.branch AS branch,
       r.holder AS holder, r.amount AS amount, r.status AS status
FROM registration AS r LEFT JOIN certificate AS c USING (receipt_no)
WHERE r.branch = %(branch)s AND r.accepted_at >= %(since)s
ORDER BY r.receipt_no"""

# dr's word for a column: what the offices' CSV files call it
LEDGER_COLUMNS = {
    "key": "slip",
    "receipt": "receipt_no",
    "certificate": "certificate_serial",
    "parcel": "parcel_no",
    "kind": "kind",
    "clerk": "clerk",
    "at": "accepted_at",
    "outcome": "outcome",
    "branch": "branch",
    "holder": "holder",
    "amount": "amount",
    "status": "status",
}

# every record, for the comparison of all branches at once; the control room registers nothing real
RECORDS = """\
SELECT r.branch AS branch, r.slip AS key, r.receipt_no AS receipt, c.serial AS certificate,
       r.parcel_no AS parcel, r.kind AS kind, r.clerk AS clerk, r.holder AS holder,
       r.amount AS amount, r.status AS status, r.accepted_at AS at
FROM registration AS r LEFT JOIN certificate AS c USING (receipt_no)
WHERE r.branch <> 'control'"""

# dr's word: the column of the table registration
COLUMN = {
    "key": "slip",
    "parcel": "parcel_no",
    "kind": "kind",
    "clerk": "clerk",
    "at": "accepted_at",
    "branch": "branch",
    "holder": "holder",
    "amount": "amount",
    "status": "status",
}
