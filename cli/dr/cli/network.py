"""Entering the lab's network, when the workspace belongs to a lab.

Hosts of a lab are reached from its control host's network and from nowhere else: a process
that forgot to enter would send to addresses outside of the machine.
"""

from __future__ import annotations

import os

from dr.cli.session import Session
from dr.engine.service.glance import Workplace, find_workplace

INSIDE = "DR_IN_LAB"
"""Names the lab whose network this process is in already; children inherit both."""


def enter_lab(session: Session) -> None:
    """Enter the network of the lab's control host, or of the host that the workspace lies on.

    Nothing when the workspace has no lab.

    Must be called while the process has one thread, before the desk is opened.

    Raises:
        DrError: the lab is not up.
    """
    place = find_workplace(session.workspace)
    if place is None or place.lab is None or _inside(place):
        return
    from dr.lab.enter import CONTROL, enter
    from dr.lab.errors import LabDownError

    try:
        enter(place.lab, place.lab_host or CONTROL)
    except (FileNotFoundError, ConnectionError):
        raise LabDownError(place.lab) from None
    os.environ[INSIDE] = _name(place)


def _inside(place: Workplace) -> bool:
    return os.environ.get(INSIDE) == _name(place)


def _name(place: Workplace) -> str:
    return f"{place.lab_host}@{place.lab}" if place.lab_host else str(place.lab)
