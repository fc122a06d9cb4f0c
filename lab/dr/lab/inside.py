"""A command inside a host of an ordinary user's lab.

nsenter drops every capability when it joins a user namespace and starts a program that is not
root's, and then nothing in the host could be administered.  This joins the same way and keeps
them.  It runs as a program of its own, in an isolated Python that loads only the kernel module.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from dr.lab import kernel

_NOT_FOUND = 127
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from dr.lab import inside; inside.main()"
)


def command(namespaces: list[int], argv: list[str]) -> list[str]:
    """Return the words that run ``argv`` in ``namespaces``, the user's first.

    Args:
        namespaces: descriptors that the command is to inherit.
    """
    fds = ",".join(map(str, namespaces))
    folder = str(Path(__file__).parents[2])
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, folder, fds, *argv]


def main() -> None:
    """Join the namespaces named by the first argument, run the others there, end as they do."""
    fds, *argv = sys.argv[1:]
    for fd in fds.split(","):
        kernel.setns(int(fd))
        os.close(int(fd))
    kernel.keep_capabilities()
    child = os.fork()  # a pid namespace is joined by the children
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the command
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    kernel.die_with_parent()
    os.chdir("/")
    try:
        os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        os._exit(_NOT_FOUND)
