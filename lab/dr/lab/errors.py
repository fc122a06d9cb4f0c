"""What can go wrong with a lab."""

from __future__ import annotations

from dr.engine.core.errors import DrError, UserError


class LabError(DrError):
    """The lab could not do what it was asked, for a reason that lies in the machine."""

    code = "lab"


class LabUsageError(UserError):
    """The lab was asked for something that it does not have: an unknown fault, host or site."""

    code = "lab_usage"


class LabDownError(LabError):
    """No lab runs in the directory."""

    code = "lab_down"

    def __init__(self, directory: object) -> None:
        super().__init__(
            f"no lab is up in {directory}",
            hint="Type 'dr lab up' to bring one up, or name another with --dir.",
        )
