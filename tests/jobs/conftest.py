"""Toy jobs for these tests, in a module that workers can import by its plain name."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # workers inherit the path

from secateurs.jobs import Event, Store

collect_ignore = ["toy_jobs.py", "toy_main.py", "toy_meters.py"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def contents() -> Callable[[Store], dict[str, bytes]]:
    """All that must be the same bytes whenever and wherever a graph was run."""

    def read(store: Store) -> dict[str, bytes]:
        aside = {"done.json", "log", "lock"}  # times of day, durations
        files = (path for path in store.root.rglob("*") if path.is_file() and path.name not in aside)
        return {str(path.relative_to(store.root)): path.read_bytes() for path in files}

    return read
