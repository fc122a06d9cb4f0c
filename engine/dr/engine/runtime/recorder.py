"""The one way into the journal for the engine: write, then fold, under one lock."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from dr.engine.core.canonical import plain, texts
from dr.engine.core.errors import (
    DrError,
    JournalBusyError,
    JournalError,
    LapsedError,
    LockHeldError,
    UserError,
)
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import passage
from dr.engine.core.ports import Journal, Lease, Secrets
from dr.engine.core.view import RunView

RENEW_S = 5.0
"""How often it is looked whether the lease is still there, at the most."""

_QUIET = frozenset({Kind.INTENT, Kind.HANDLE, Kind.RESULT, Kind.UNDO_INTENT, Kind.UNDO_HANDLE})
"""What an attempt under way writes; nothing can be decided before it ends, so the main loop sleeps
on: waking it costs more than the write does."""

_OF_ATTEMPTS = _QUIET | {Kind.FINISHED, Kind.LOST, Kind.PROBED, Kind.UNDO_FINISHED}
"""What moves one unit and nothing else; only such events of several writers share a transaction."""

_ENDS = frozenset({Kind.FINISHED, Kind.LOST})
"""What an attempt writes last; the worker who wrote it says so when the work is over."""


def boot_s() -> float:
    """Return seconds since boot: they go on while this process is frozen or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class StoppedError(DrError):
    """The engine writes no more: its lease or its journal is gone."""


class HeldBackError(DrError):
    """What was to be written must not happen any more, or not now; nothing was written."""


@dataclass(slots=True)
class _Wanted:
    """What one thread wants written, and what became of it."""

    drafts: list[Draft]
    unless: Callable[[], bool] | None = None
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None
    settled: bool = False

    @property
    def units(self) -> set[tuple[str | None, str | None]]:
        """What it is about; what is possible for a unit depends on what was written before."""
        return {(draft.step, draft.host) for draft in self.drafts}

    @property
    def may_lapse(self) -> bool:
        """Whether the journal may refuse it for its time."""
        return any(draft.until is not None for draft in self.drafts)

    @property
    def moves_units_only(self) -> bool:
        """Whether it changes nothing that other units stand by."""
        return all(draft.kind in _OF_ATTEMPTS for draft in self.drafts)

    def goes_with(self, others: Sequence[_Wanted]) -> bool:
        """Whether it may be in one transaction with ``others``: a refusal is for one alone."""
        if not others:
            return True
        if self.may_lapse or others[0].may_lapse:
            return False
        if not (self.moves_units_only and others[0].moves_units_only):
            return False  # a step that is reopened or skipped moves all of its units
        return all(self.units.isdisjoint(other.units) for other in others)


class Recorder:
    """Appends events with the engine's lease and folds them into the view.

    Whatever may change what is to be done wakes the main loop through ``touched``.  After the
    first failed append nothing is written and, because every act comes after its intent,
    nothing acts.
    """

    def __init__(self, journal: Journal, lease: Lease, view: RunView, secrets: Secrets) -> None:
        self._journal = journal
        self._lease = lease
        self._secrets = secrets
        self.view = view
        self.lock = threading.RLock()
        self.touched: SimpleQueue[str | None] = SimpleQueue()
        self.broken: DrError | None = None
        self.renew_s = min(RENEW_S, (lease.lasts_s or 3 * RENEW_S) / 3)
        self._sure = boot_s()
        self._worker = threading.local()
        self._waiting: deque[_Wanted] = deque()

    def works_on(self, step: str | None) -> None:
        """Say that this thread works on ``step`` and tells its end itself; None: it does not."""
        self._worker.step = step

    @property
    def epoch(self) -> int:
        """The epoch that every command to a host must present."""
        return self._lease.epoch

    @property
    def run(self) -> str:
        """The run's id."""
        return self._lease.run

    def require_lease(self) -> None:
        """Refuse to act when this process may have been frozen for as long as the lease lasts.

        Asked last before each act: an engine that wakes up finds out here, not at its first write.

        Raises:
            StoppedError: this engine may write no more, and so may not act.
        """
        if self._unsure_s > 2 * self.renew_s:
            self.renew()
        if self._unsure_s > 2 * self.renew_s:
            self.stop(DrError("nobody can tell whether this engine still has the run"))
        if self.broken is not None:
            raise StoppedError(self.broken.message, hint=self.broken.hint)

    def write(self, *drafts: Draft, unless: Callable[[], bool] | None = None) -> list[Event]:
        """Append events in one transaction and fold them in.

        What other threads want to write at the same moment goes into the same transaction:
        whoever has the lock writes for all that wait.  Nobody returns before theirs is safe.

        ``unless`` is asked last, when nothing can come between its answer and the events.

        Raises:
            StoppedError: this engine may write no more.
            HeldBackError: ``unless`` was true; nothing was written.
            IllegalTransitionError: a draft can not be true any more; nothing was written.
            LapsedError: a draft's ``until`` has come; nothing was written.
            LockHeldError: a draft needs a lock that is another run's; nothing was written.
        """
        wanted = _Wanted([self._masked(draft) for draft in drafts], unless)
        self._waiting.append(wanted)
        with self.lock:
            while not wanted.settled:
                self._write_together()
        if wanted.error is not None:
            raise wanted.error
        passage("after-append")
        return wanted.events

    def write_while_open(self, question: str, *drafts: Draft) -> bool:
        """Append events in one transaction of their own, if ``question`` is still open there.

        Returns:
            False when somebody closed it meanwhile; nothing was written.

        Raises:
            StoppedError: this engine may write no more.
            LockHeldError: a draft needs a lock that is another run's; nothing was written.
        """
        with self.lock:
            if self.broken is not None:
                raise StoppedError(self.broken.message, hint=self.broken.hint)
            masked = [self._masked(draft) for draft in drafts]
            run, lease = self._lease.run, self._lease
            try:
                events = self._journal.append(run, masked, lease=lease, open_question=question)
            except UserError:
                self.poll()
                return False
            except LockHeldError:
                raise
            except DrError as error:
                self.stop(error)
                raise StoppedError(error.message, hint=error.hint) from error
            except BaseException as error:
                self.stop(DrError(f"cut: {error!r}"))
                raise
            self._sure = boot_s()
            self._fold(events)
        return True

    def _write_together(self) -> None:
        """Write what waits, in its order, up to the first that meets a unit a second time."""
        together: list[_Wanted] = []
        while self._waiting and self._waiting[0].goes_with(together):
            wanted = self._waiting.popleft()
            if self._may_be_written(wanted):
                together.append(wanted)
        if not together:
            return
        try:
            passage("before-append")
            drafts = [draft for wanted in together for draft in wanted.drafts]
            events = self._journal.append(self._lease.run, drafts, lease=self._lease)
            self._sure = boot_s()
            self._fold(events)
        except (LapsedError, LockHeldError) as error:  # only what goes alone is refused so
            together[0].error, together[0].settled = error, True
        except DrError as error:
            self.stop(error)
            self._refuse(together)
        except Exception as error:  # noqa: BLE001 - each writer's own thread is told
            # nobody knows whether it was written: only reading it all again can tell
            message = f"the journal broke: {type(error).__name__}: {error}"
            self.stop(DrError(message, hint="Look at the disk, then type: dr resume"))
            self._refuse(together)
        except BaseException as error:
            self.stop(DrError(f"cut: {error!r}"))
            self._refuse(together)
            raise
        else:
            begin = 0
            for wanted in together:
                end = begin + len(wanted.drafts)
                wanted.events, wanted.settled = events[begin:end], True
                begin = end

    def _may_be_written(self, wanted: _Wanted) -> bool:
        if self.broken is not None:
            self._refuse([wanted])
            return False
        try:
            for draft in wanted.drafts:
                self.view.refuse_impossible(draft)
            if wanted.unless is not None and wanted.unless():
                raise HeldBackError("it must not happen now")
        except Exception as error:  # noqa: BLE001 - its own thread is told
            wanted.error, wanted.settled = error, True
            return False
        return True

    def _refuse(self, all_of: Iterable[_Wanted]) -> None:
        assert self.broken is not None  # noqa: S101 - only a stopped recorder refuses
        for wanted in all_of:
            wanted.error = StoppedError(self.broken.message, hint=self.broken.hint)
            wanted.settled = True

    def poll(self) -> None:
        """Fold in what other processes wrote: answers and operators' wishes."""
        with self.lock:
            for event in self._journal.events(self._lease.run, after=self.view.seq):
                self._apply(event)

    def wishes(self) -> list[Event]:
        """Return the operators' wishes not seen before."""
        with self.lock:
            found, self.view.wishes = self.view.wishes, []
        return found

    def renew(self) -> None:
        """Keep the lease; losing it stops the engine.

        A journal that is away for a moment costs nothing while the lease lasts: no act begins
        before something is written.
        """
        passage("before-renew")
        try:
            self._journal.renew(self._lease)
            self._sure = boot_s()
            passage("after-renew")
        except JournalBusyError as error:
            if self._unsure_s > 3 * self.renew_s:
                self.stop(error)
        except DrError as error:
            self.stop(error)

    @property
    def _unsure_s(self) -> float:
        """How long ago the journal last said that this engine has the run, in seconds."""
        return boot_s() - self._sure

    def release(self) -> None:
        """Give the run back; a journal that is away lets the lease lapse."""
        with contextlib.suppress(JournalError):
            self._journal.release(self._lease)

    def stop(self, error: DrError) -> None:
        """Write no more, because of ``error``."""
        self.broken = self.broken or error
        self.touched.put(None)

    def wake(self) -> None:
        """Let the main loop look around."""
        self.touched.put(None)

    def _fold(self, events: Iterable[Event]) -> None:
        events = list(events)
        if events and events[0].seq != self.view.seq + 1:
            events = self._journal.events(self._lease.run, after=self.view.seq)
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        self.view.apply(event)
        if event.kind in _QUIET:
            return
        if event.kind in _ENDS and event.step == getattr(self._worker, "step", None):
            return
        self.touched.put(event.step)

    def hide(self, value: Any) -> None:
        """Mask an output that is declared secret wherever it would be written from now on."""
        for text in texts(value):
            self._secrets.hide(text)

    def redact(self, text: str) -> str:
        """Return ``text`` with every resolved secret and every secret output masked."""
        return self._secrets.redact(text)

    def _masked(self, draft: Draft) -> Draft:
        data = _walk(draft.data, self.redact)
        return Draft(draft.kind, draft.step, draft.host, draft.attempt, data, draft.until)


def _walk(value: Any, redact: Callable[[str], str]) -> Any:
    """Return ``value`` as JSON data with every text in it redacted."""
    kind = type(value)
    if kind is str:
        return redact(value)
    if kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is dict:
        return {str(key): _walk(item, redact) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_walk(item, redact) for item in value]
    return _walk(plain(value), redact)
