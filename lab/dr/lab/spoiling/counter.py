"""A branch's counter, closed for a moment: its book, and the folder that it hands in from."""

from __future__ import annotations

import json
import select
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dr.lab.enter import started_in_host
from dr.lab.errors import LabError
from dr.lab.office import BOOK
from dr.lab.spoiling.plans import FOLDER, HandIn

_PATIENCE_S = 20
_LATE = ".late"
# the lock is asked for while the office may be in the middle of a case, which takes it 6 s at most
_HOLD = """
import fcntl, json, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR)
signal.alarm(int(sys.argv[2]))
fcntl.flock(fd, fcntl.LOCK_EX)
signal.alarm(0)
print(json.dumps(os.pread(fd, os.fstat(fd).st_size, 0).decode()), flush=True)
for line in sys.stdin:
    data = json.loads(line).encode()
    os.pwrite(fd, data, 0)
    os.ftruncate(fd, len(data))
    os.fsync(fd)
    print('"written"', flush=True)
"""


class Counter:
    """One branch, waiting at its book's lock."""

    def __init__(self, directory: Path, branch: str) -> None:
        self._directory, self.branch = directory, branch
        words = ["/usr/bin/python3", "-I", "-S", "-c", _HOLD, BOOK, str(_PATIENCE_S)]
        self._process = started_in_host(directory, branch, words)
        self.text = ""

    def wait(self) -> None:
        """Wait until the office has finished its case, and read the book."""
        self.text = self._answer()

    def write(self, text: str) -> None:
        """Replace what is in the book; the office goes on behind it."""
        assert self._process.stdin  # noqa: S101  it is a pipe
        self._process.stdin.write(json.dumps(text).encode() + b"\n")
        self._process.stdin.flush()
        self._answer()
        self.text = text

    def put(self, file: HandIn) -> None:
        """Hand a file in, or take it away, now or later."""
        late = file.after_s > 0
        target = f"{FOLDER}/{_LATE}" if late else file.path
        if file.data is not None or file.link:
            self._make(file, target)
        elif not late:
            self._run(["rm", "-f", file.path])
        if late:
            move = f"sleep {file.after_s:g}; mv -f {shlex.quote(target)} {shlex.quote(file.path)}"
            # a process of the host's own: it ends with the host, and waits for nobody
            quiet = f"setsid sh -c {shlex.quote(move)} </dev/null >/dev/null 2>&1 &"
            self._run(["sh", "-c", quiet])

    def forget_late_files(self) -> None:
        """Let nothing come any more that was to come later."""
        self._run(["rm", "-f", f"{FOLDER}/{_LATE}"])

    def _make(self, file: HandIn, target: str) -> None:
        if file.link:
            self._run(["ln", "-f", BOOK, target])
            return
        grow = f'truncate -s {file.size} "$0.part" && ' if file.size else ""
        # made aside and put in place whole: whoever reads sees the old file or the new one
        script = f'cat >"$0.part" && {grow}mv -f "$0.part" "$0"'
        self._run(["sh", "-c", script, target], file.data or b"")

    def _run(self, words: Sequence[str], data: bytes = b"") -> None:
        process = started_in_host(self._directory, self.branch, words)
        try:
            _, said = process.communicate(data, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise self._stuck() from None
        if process.returncode != 0:
            raise LabError(f"the branch '{self.branch}' could not do it: {said.decode().strip()}")

    def _answer(self) -> str:
        assert self._process.stdout  # noqa: S101  it is a pipe
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN | select.POLLHUP)
        line = b""
        if poll.poll((_PATIENCE_S + 5) * 1000):
            line = self._process.stdout.readline()
        if not line:
            self.close()
            raise self._stuck()
        return str(json.loads(line))

    def _stuck(self) -> LabError:
        return LabError(
            f"the office of '{self.branch}' does not finish its case",
            hint=f"See what it waits for with 'dr lab status' and 'dr lab shell {self.branch}'.",
        )

    def close(self) -> None:
        """Let the office go on."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()


@contextmanager
def closed_counters(directory: Path, branches: Sequence[str]) -> Iterator[dict[str, Counter]]:
    """Let every office finish its case and start none; they go on afterwards."""
    with ExitStack() as stack:
        counters: dict[str, Counter] = {}
        for branch in branches:
            counters[branch] = Counter(directory, branch)
            stack.callback(counters[branch].close)
        for counter in counters.values():
            counter.wait()
        yield counters


def handed_in(directory: Path, branch: str, most_bytes: int = 1 << 26) -> dict[str, bytes]:
    """Return what ``branch`` hands in: the files of its folder by name, but for its own.

    Args:
        most_bytes: a larger file is there with its first bytes only.

    Raises:
        LabError: the branch does not answer.
    """
    own = {Path(BOOK).name, "office.json", "office.part", _LATE}
    script = 'cd "$0" && for f in *; do [ -f "$f" ] && printf "%s\\0" "$f"; done; true'
    names = _output(directory, branch, ["sh", "-c", script, FOLDER]).decode().split("\0")
    return {
        name: _output(directory, branch, ["head", "-c", str(most_bytes), f"{FOLDER}/{name}"])
        for name in names
        if name and name not in own and not name.endswith(".part")
    }


def _output(directory: Path, branch: str, words: Sequence[str]) -> bytes:
    process = started_in_host(directory, branch, words)
    data, said = process.communicate(timeout=_PATIENCE_S)
    if process.returncode != 0:
        raise LabError(f"the branch '{branch}' could not be read: {said.decode().strip()}")
    return data
