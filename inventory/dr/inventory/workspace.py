"""The workspace: finding it, reading dr.yaml, choosing an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dr.engine.core.approval import bureau_slug
from dr.engine.core.errors import Problem, RunbookError, UserError
from dr.engine.core.values import Text
from dr.inventory.strictyaml.document import Document
from dr.inventory.strictyaml.fields import StrictModel, Words
from dr.inventory.strictyaml.reading import read_yaml
from dr.inventory.strictyaml.validation import did_you_mean, validate
from dr.inventory.words import Name, Port, Span

FILE = "dr.yaml"
VARIABLE = "DR_WORKSPACE"


class Kind(StrEnum):
    """How careful dr is in an environment."""

    LAB = "lab"
    STAGING = "staging"
    PRODUCTION = "production"


class EnvironmentEntry(StrictModel):
    """One environment; ``inventory`` is a folder, relative to dr.yaml."""

    kind: Kind = Field(strict=False)
    inventory: str


class LabEntry(StrictModel):
    """Where the lab is that this workspace belongs to, and on which of its hosts it lies."""

    directory: str
    host: Name = "control"


class MailEntry(StrictModel):
    """The mail server that ``notify.send`` hands letters to."""

    host: str
    port: Port = 25
    sender: str = Field(alias="from")


class SshEntry(StrictModel):
    """Defaults for hosts that say nothing else; paths are relative to dr.yaml."""

    user: str | None = None
    port: Port | None = None
    identity: str | None = None
    known_hosts: str | None = None
    connect_timeout: Span = "5s"


class ApprovalsEntry(StrictModel):
    """``namespace``: what signatures are made for; by default the bureau's English name."""

    namespace: Name | None = None


class WorkspaceFile(StrictModel):
    """dr.yaml."""

    format: Literal[1]
    bureau: Words
    default_environment: Name
    environments: dict[Name, EnvironmentEntry] = Field(min_length=1)
    lab: LabEntry | None = None
    runbooks: list[str] = Field(default=["runbooks"])
    state: str = ".dr"
    mail: MailEntry | None = None
    ssh: SshEntry = SshEntry()
    approvals: ApprovalsEntry = ApprovalsEntry()


@dataclass(frozen=True, slots=True)
class Environment:
    """A named environment; ``inventory`` is an absolute folder."""

    name: str
    kind: Kind
    inventory: Path


@dataclass(frozen=True)
class Workspace:
    """A workspace as dr.yaml describes it.  All paths are absolute."""

    directory: Path
    bureau: Text
    namespace: str
    default_environment: str
    environments: Mapping[str, Environment]
    runbooks: tuple[Path, ...]
    state: Path
    ssh: Mapping[str, Any] = field(default_factory=dict)
    mail: Mapping[str, Any] = field(default_factory=dict)
    lab: Path | None = None

    def environment(self, name: str | None = None) -> Environment:
        """Return an environment by name; the default one without a name.

        Raises:
            UserError: there is none of that name.
        """
        wanted = name or self.default_environment
        if wanted not in self.environments:
            raise UserError(
                f"no environment is called '{wanted}'",
                hint=did_you_mean(wanted, self.environments),
            )
        return self.environments[wanted]


def find_workspace(
    start: Path, explicit: Path | None = None, variable: str | None = None
) -> Path | None:
    """Return the folder of the workspace to use; None when there is none.

    Args:
        start: where to look for dr.yaml, there and in every parent.
        explicit: what ``--workspace`` names, the folder or its dr.yaml; nothing else counts then.
        variable: the value of $DR_WORKSPACE; counts before ``start``.

    Raises:
        UserError: the place named by ``explicit`` or ``variable`` has no dr.yaml.
    """
    for named, how in ((explicit, "--workspace"), (variable, f"${VARIABLE}")):
        if named:
            path = Path(named).expanduser().absolute()
            folder = path.parent if path.name == FILE else path
            if not (folder / FILE).is_file():
                raise UserError(
                    f"{how} names {folder}, where there is no {FILE}",
                    hint=f"Type 'dr init {folder}' to make a workspace there.",
                )
            return folder
    here = start.absolute()
    return next((f for f in (here, *here.parents) if (f / FILE).is_file()), None)


def read_workspace(directory: Path) -> Workspace:
    """Read dr.yaml in ``directory``.

    Raises:
        RunbookError: it is wrong; carries every problem with its position.
    """
    folder = directory.absolute()
    document = read_yaml(folder / FILE)
    model, problems = validate(WorkspaceFile, document)
    if model is not None:
        problems = _cross_checks(model, document, folder)
    if model is None or problems:
        raise RunbookError(f"{folder / FILE} has {_count(problems)}", problems)
    ssh = model.ssh.model_dump(exclude_none=True)
    for key in ("identity", "known_hosts"):
        if key in ssh:
            ssh[key] = str(folder / ssh[key])
    return Workspace(
        directory=folder,
        bureau=model.bureau,
        namespace=model.approvals.namespace or bureau_slug(model.bureau.en),
        default_environment=model.default_environment,
        environments={
            name: Environment(name, entry.kind, folder / entry.inventory)
            for name, entry in model.environments.items()
        },
        runbooks=tuple(folder / path for path in model.runbooks),
        state=folder / model.state,
        ssh=ssh,
        mail=model.mail.model_dump(by_alias=True) if model.mail else {},
        lab=folder / model.lab.directory if model.lab else None,
    )


def _cross_checks(model: WorkspaceFile, document: Document, folder: Path) -> list[Problem]:
    problems = []
    if model.default_environment not in model.environments:
        problems.append(
            document.problem(
                f"no environment is called '{model.default_environment}'",
                ("default_environment",),
                hint=did_you_mean(model.default_environment, model.environments),
            )
        )
    for name, entry in model.environments.items():
        if not (folder / entry.inventory).is_dir():
            problems.append(
                document.problem(
                    f"there is no folder {entry.inventory}",
                    ("environments", name, "inventory"),
                    hint="Make it, or name the folder that has hosts.yaml and services.yaml.",
                )
            )
    return problems


def _count(problems: list[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
