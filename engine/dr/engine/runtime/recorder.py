"""The one way into the journal for the engine: write, then fold, under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

from dr.engine.core.canonical import plain
from dr.engine.core.errors import DrError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import passage
from dr.engine.core.ports import Journal, Lease, Secrets
from dr.engine.core.view import RunView

_QUIET = frozenset({Kind.INTENT, Kind.HANDLE, Kind.RESULT, Kind.UNDO_INTENT, Kind.UNDO_HANDLE})
"""What an attempt under way writes; nothing can be decided before it ends, so the main loop sleeps
on: waking it costs more than the write does."""


class StoppedError(DrError):
    """The engine writes no more: its lease or its journal is gone."""


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
        self._hidden: frozenset[str] = frozenset()

    @property
    def epoch(self) -> int:
        """The epoch that every command to a host must present."""
        return self._lease.epoch

    @property
    def run(self) -> str:
        """The run's id."""
        return self._lease.run

    def write(self, *drafts: Draft) -> list[Event]:
        """Append events in one transaction and fold them in.

        Raises:
            StoppedError: this engine may write no more.
            IllegalTransitionError: a draft can not be true any more; nothing was written.
        """
        masked = [self._masked(draft) for draft in drafts]
        with self.lock:
            if self.broken is not None:
                raise StoppedError(self.broken.message, hint=self.broken.hint)
            for draft in masked:
                self.view.refuse_impossible(draft)
            passage("before-append")
            try:
                events = self._journal.append(self._lease.run, masked, lease=self._lease)
            except DrError as error:
                self.stop(error)
                raise StoppedError(error.message, hint=error.hint) from error
            except Exception as error:
                # nobody knows whether it was written: only reading it all again can tell
                message = f"the journal broke: {type(error).__name__}: {error}"
                self.stop(DrError(message, hint="Look at the disk, then type: dr resume"))
                raise StoppedError(message) from error
            self._fold(events)
        passage("after-append")
        return events

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
        """Keep the lease; losing it stops the engine."""
        try:
            self._journal.renew(self._lease)
        except DrError as error:
            self.stop(error)

    def release(self) -> None:
        """Give the run back."""
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
        if event.kind not in _QUIET:
            self.touched.put(event.step)

    def hide(self, value: Any) -> None:
        """Mask an output that is declared secret wherever it would be written from now on."""
        if isinstance(value, str) and value:
            self._hidden |= {value}

    def redact(self, text: str) -> str:
        """Return ``text`` with every resolved secret and every secret output masked."""
        for value in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(value, "***")
        return self._secrets.redact(text)

    def _masked(self, draft: Draft) -> Draft:
        data = _walk(draft.data, self.redact)
        return Draft(draft.kind, draft.step, draft.host, draft.attempt, data)


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
