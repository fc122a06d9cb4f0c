"""The negative control: an engine that takes every step in doubt for one that never began.

Python loads this by itself where this folder is on PYTHONPATH.
"""

from dr.engine.actions.ssh_run import SshRun
from dr.engine.core.ports import Attached, Found, Presence, Probe
from dr.engine.runtime.attempts import Conductor

SshRun.attach = lambda *_: Attached(Found.NEVER_STARTED, "assumed")  # type: ignore[method-assign]
Conductor.look = lambda *_: Probe(Presence.ABSENT, "assumed")  # type: ignore[method-assign]
