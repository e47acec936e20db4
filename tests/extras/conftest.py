"""Extras: what they need may be absent, which is a skip on a laptop and a failure in CI."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # what these tests train, and the processes that they start
_HELPERS = {
    "in_lightning.py": ("lightning",),
    "in_transformers.py": ("transformers",),
    "parallel_work.py": ("lightning", "transformers"),
}
collect_ignore = [file for file, needs in _HELPERS.items() if not all(map(importlib.util.find_spec, needs))]
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported: no test downloads anything


@pytest.fixture(scope="session")
def absent() -> Callable[[str], NoReturn]:
    """Call it with the reason when an extra is missing: skips, or fails where extras are required."""

    def tell(reason: str) -> NoReturn:
        if os.environ.get("SECATEURS_REQUIRE_EXTRAS"):
            pytest.fail(reason)
        pytest.skip(reason)

    return tell


@pytest.fixture(scope="session")
def extra(absent: Callable[[str], NoReturn]) -> Callable[..., Any]:
    """Call it with an extra's package, and the module that is wanted: the module, where the extra is there."""

    def get(package: str, module: str) -> Any:
        if importlib.util.find_spec(package) is None:
            absent(f"needs the extra {package!r}: pip install 'secateurs[{package}]'")
        return importlib.import_module(module)

    return get


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, and the global random state back afterwards."""
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng(devices=()):
        yield tmp_path
