"""Extras: what they need may be absent, which is a skip on a laptop and a failure in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def absent() -> Callable[[str], NoReturn]:
    """Call it with the reason when an extra is missing: skips, or fails where extras are required."""

    def tell(reason: str) -> NoReturn:
        if os.environ.get("SECATEURS_REQUIRE_EXTRAS"):
            pytest.fail(reason)
        pytest.skip(reason)

    return tell
