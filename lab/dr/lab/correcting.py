"""The lab's registration application: it takes in a file of corrections, as a bureau's own would.

``dr`` never writes to a register; what people approved goes out as a file (``dr reconcile
corrections``), and this enters it.  The register deletes nothing: what is voided stays as void.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.lab.api import status
from dr.lab.business import COLUMN
from dr.lab.errors import LabDownError, LabUsageError
from dr.lab.register import Register, opened, quoted, serving_host

_KIND = "dr.corrections"
_MOST_BYTES = 64 << 20
_NEEDS = {"case", "do", "what", "branch", "fields", "ledger", "central"}
Case = Mapping[str, Any]


@dataclass(frozen=True)
class Corrected:
    """What became of a file: ids of cases that were entered, and of others the reason.

    Reasons are ``unknown`` (what is to be done), ``no-number`` (the branch gives none), ``there``
    (it is in the register), ``form-used`` (its form carries another record), ``nothing`` (that
    could be adjusted) and ``gone`` (no such record).
    """

    host: str
    entered: tuple[str, ...]
    left: Mapping[str, str]


def correct(directory: Path, file: Path, host: str = "") -> Corrected:
    """Enter the corrections of ``file`` into the lab's register, all in one transaction.

    Args:
        host: whose database; "" is the one with the service address.

    Raises:
        LabUsageError: the file is none of ``dr reconcile corrections``.
        LabDownError: no lab is up there.
        LabError: the database refuses; nothing was changed.
    """
    cases = _cases(file)
    found = status(directory)
    if not found.up:
        raise LabDownError(directory)
    running = [str(each["name"]) for each in found.hosts if each["power"] == "on"]
    chosen = host or serving_host(directory, running)
    entered: list[str] = []
    left: dict[str, str] = {}
    with opened(directory, chosen) as register:
        for case in cases:
            because = _enter(register, case)
            if because:
                left[str(case["case"])] = because
            else:
                entered.append(str(case["case"]))
        register.commit()
    return Corrected(chosen, tuple(entered), left)


def _cases(file: Path) -> Sequence[Case]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        data = json.loads(content) if len(content) <= _MOST_BYTES else None
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise ValueError
        cases = list(data["cases"])
        if not all(case.keys() >= _NEEDS for case in cases):
            raise ValueError
        return cases
    except OSError as error:
        raise LabUsageError(
            f"{file} cannot be read: {(error.strerror or '').lower()}",
            hint=f"Type 'ls -l {file}' to see why.",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LabUsageError(
            f"{file} is no file of corrections",
            hint="Write one with: dr reconcile corrections RUN -o FOLDER (the .json is wanted)",
        ) from None


def _enter(register: Register, case: Case) -> str:
    """Carry one correction out; return why it was left, "" when it was not."""
    match case["do"]:
        case "re-enter":
            return _enter_again(register, case)
        case "void":
            return _change(register, case, {"status": "void"})
        case "adjust":
            return _adjust(register, case)
    return "unknown"


def _enter_again(register: Register, case: Case) -> str:
    """Enter a case as the branch has it, under its own number where that is free."""
    ledger = dict(case["ledger"])
    if not ledger.get("key"):
        return "no-number"
    words = [word for word in COLUMN if word != "branch" and ledger.get(word)]
    names = ", ".join(["branch", *(COLUMN[word] for word in words)])
    values = ", ".join([quoted(case["branch"]), *(quoted(ledger[word]) for word in words)])
    receipt = str(ledger.get("receipt") or "")
    if receipt.isdecimal():
        taken = f"SELECT FROM registration WHERE receipt_no = {int(receipt)}"
        if not int(register.ask(taken)[-1]):
            names, values = f"receipt_no, {names}", f"{int(receipt)}, {values}"
    there = (
        f"SELECT FROM registration WHERE branch = {quoted(case['branch'])}"
        f" AND slip = {quoted(ledger['key'])}"
    )
    if int(register.ask(there)[-1]):
        return "there"
    serial = str(ledger.get("certificate") or "")
    if serial.isdecimal():
        used = f"SELECT FROM certificate WHERE serial = {int(serial)}"
        if int(register.ask(used)[-1]):
            return "form-used"
    *_, given, _count = register.ask(
        f"INSERT INTO registration ({names}) VALUES ({values}) RETURNING receipt_no"  # noqa: S608
    )
    if serial.isdecimal():
        register.ask(
            "INSERT INTO certificate (serial, receipt_no, parcel_no)"  # noqa: S608
            f" SELECT {int(serial)}, {int(given)}, parcel_no FROM registration"
            f" WHERE receipt_no = {int(given)}"
        )
    return ""


def _adjust(register: Register, case: Case) -> str:
    """Bring a record to what the branch has."""
    if case["what"] == "cross_branch":
        return _change(register, case, {"branch": case["branch"]})
    ledger = case["ledger"]
    serial = str(ledger.get("certificate") or "")
    fields = [name for name in case["fields"] if name in COLUMN]
    if "certificate" in case["fields"] and serial.isdecimal():
        receipt = _receipt(case)
        change = f"UPDATE certificate SET serial = {int(serial)} WHERE receipt_no = {receipt}"  # noqa: S608
        if int(register.ask(change)[-1]) != 1:
            return "gone"
    elif not fields:
        return "nothing"
    if not fields:
        return ""
    return _change(register, case, {name: ledger.get(name) or "" for name in fields})


def _change(register: Register, case: Case, values: Mapping[str, str]) -> str:
    """Change a registration, found by its receipt and its slip; return why none was found."""
    assigned = ", ".join(
        f"{COLUMN[word]} = {quoted(value or None if word == 'amount' else value)}"
        for word, value in values.items()
    )
    where = f"receipt_no = {_receipt(case)} AND slip = {quoted(str(case['central'].get('key')))}"
    changed = register.ask(f"UPDATE registration SET {assigned} WHERE {where}")[-1]  # noqa: S608
    return "" if int(changed) == 1 else "gone"


def _receipt(case: Case) -> int:
    receipt = str(case["central"].get("receipt") or "")
    return int(receipt) if receipt.isdecimal() else -1
