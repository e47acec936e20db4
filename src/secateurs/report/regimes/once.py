"""What several parts of the page need of a setting is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from secateurs.report.regimes.findings import RegimeFindings

T = TypeVar("T")


def once(work: Callable[[RegimeFindings], T]) -> Callable[[RegimeFindings], T]:
    """Keep the result beside the findings, as a cached property of theirs would be: they never change."""
    name = f"{work.__module__}.{work.__qualname__}"

    @wraps(work)
    def kept(found: RegimeFindings) -> T:
        results = vars(found)
        if name not in results:
            results[name] = work(found)
        result: T = results[name]
        return result

    return kept
