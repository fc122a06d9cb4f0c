"""The kill matrix: the same five steps, the same deaths, everybody's own way back."""

from __future__ import annotations

import argparse
import platform
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import crash_prefect
import crash_restate
import peers
from crash_ansible import Ansible
from crash_dr import Dr
from crash_host import Host, host
from crash_page import page, write
from crash_python import Dbos, Doit
from crash_trial import Moment, Product, trial
from crash_verdict import verdict
from samples import SkippedError

PRODUCTS: Mapping[str, Sequence[Callable[[], Product]]] = {
    "dr": (Dr, lambda: Dr(probes=True)),
    "dbos": (Dbos,),
    "restate": (crash_restate.Restate,),
    "prefect": (crash_prefect.Prefect,),
    "doit": (Doit,),
    "ansible": (Ansible, lambda: Ansible(at="stopped"), lambda: Ansible(creates=True)),
}


def main(argv: Sequence[str]) -> int:
    """Kill what is asked for, print each verdict, write them down."""
    parser = argparse.ArgumentParser(prog="bench/crash-run", description="Kill dr and others.")
    parser.add_argument("--only", help=f"of {', '.join(PRODUCTS)}", default=",".join(PRODUCTS))
    parser.add_argument("--no-page", action="store_true", help="leave the files as they are")
    asked = parser.parse_args(argv)
    wanted = asked.only.split(",")
    unknown = [name for name in wanted if name not in PRODUCTS]
    if unknown:
        parser.error(f"nothing is called '{unknown[0]}'; known: {', '.join(PRODUCTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ended from outside: clear up too
    around = surroundings()
    with host() as found:
        for make in (make for name in wanted for make in PRODUCTS[name]):
            trials = [_tried(make, found, moment) for moment in Moment]
            if not asked.no_page:  # at once: what comes after takes minutes, and may be stopped
                write(trials, around)
                page()
    return 0


def _tried(make: Callable[[], Product], found: Host, moment: Moment) -> dict[str, Any]:
    product = make()
    try:
        seen = asdict(trial(product, found, moment))
    except SkippedError as error:
        seen = _none(product, moment, str(error))
    except Exception as error:  # noqa: BLE001 - the other deaths are worth having
        traceback.print_exc()
        seen = _none(product, moment, f"the measurement broke: {type(error).__name__}")
    sys.stderr.write(f"crash: {product.name}, {moment.value}: {verdict(seen)}\n")
    return seen


def _none(product: Product, moment: Moment, why: str) -> dict[str, Any]:
    return {"product": product.name, "moment": moment.value, "asked": False, "skipped": why}


def surroundings() -> dict[str, Any]:
    """Return when and with what the matrix was made."""
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {
            "dr": version("dr-runbooks"),
            "ansible-core": version("ansible-core"),
            **{name: peers.versions()[name] for name in ("dbos", "doit")},
            "restate-server": crash_restate.SERVER,
            **peers.versions(crash_restate.WANTED),
            **peers.versions(crash_prefect.WANTED),
            "OpenSSH": said.split(",")[0].removeprefix("OpenSSH_"),
        },
    }
