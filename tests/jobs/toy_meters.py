"""Meters of the tests: they count passes of walks instead of energy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

OPEN: list[str] = []


@contextmanager
def counting(device: str, workers: int, on_device: int, *, name: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Counts how often it was asked."""
    asked = 0
    OPEN.append(name)

    def reading() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"asked": asked, "device": device, "workers": workers, "on_device": on_device, "name": name}

    try:
        yield reading
    finally:
        OPEN.remove(name)


@contextmanager
def broken(device: str, workers: int, on_device: int) -> Iterator[Callable[[], dict[str, Any]]]:
    raise ValueError("no meter here")
    yield dict
