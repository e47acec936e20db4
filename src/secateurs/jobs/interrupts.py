"""Ctrl-C as a count instead of an exception, so that it never falls into the middle of bookkeeping."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupts:
    """How often the run was asked to stop: once, finish what can be kept; twice, at once."""

    def __init__(self) -> None:
        self.count = 0
        self._listeners: list[Callable[[int], None]] = []

    def subscribe(self, listener: Callable[[int], None]) -> None:
        """Call ``listener(count)`` at each request; it may be called inside any other code."""
        self._listeners.append(listener)

    def press(self) -> None:
        """Ask once more."""
        self.count += 1
        for listener in self._listeners:
            listener(self.count)


@contextmanager
def listening() -> Iterator[Interrupts]:
    """Count Ctrl-C (SIGINT), and SIGTERM as schedulers send it, for the block.

    Where there is nothing to count, nothing is changed: outside the main thread, and for a signal
    that is ignored, as SIGINT is in a shell's background jobs.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    counted = {number: old for number, old in before.items() if old not in (None, signal.SIG_IGN)}
    for number in counted:
        signal.signal(number, lambda *_: interrupts.press())
    try:
        yield interrupts
    finally:
        for number, old in counted.items():
            signal.signal(number, old)
