"""Rules on plain numbers: regimes, temperatures, and which network is to be pruned."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import (
    POORLY_CONNECTED,
    SIMILAR_FROM,
    TEMPERATURES,
    MeasureError,
    Regime,
    Selection,
    highest,
    hotter_first,
    raises_temperature,
    regime,
    select,
    shares,
)

NUMBERS = st.lists(st.none() | st.just(math.nan) | st.integers(0, 5).map(lambda n: n / 5), max_size=6)


def test_the_papers_thresholds() -> None:
    assert (POORLY_CONNECTED, SIMILAR_FROM) == (-0.05, 0.9)


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(-500, 0), st.integers(0, 1000))
def test_regimes_are_told_as_by_whole_numbers(lmc: int, cka: int, threshold: int, similar_from: int) -> None:
    found = regime(lmc / 1e3, cka / 1e3, threshold=threshold / 1e3, similar_from=similar_from / 1e3)
    assert found == ("I" if lmc < threshold else "II-B" if cka >= similar_from else "II-A")
    assert raises_temperature(lmc / 1e3, threshold / 1e3) == (lmc < threshold)


def test_a_barrier_of_exactly_the_threshold_is_none_whatever_floats_make_of_it() -> None:
    assert POORLY_CONNECTED > 0.7 - 0.75
    assert raises_temperature(0.7 - 0.75) is False
    assert SIMILAR_FROM > 1 - 0.1 * 1.0000000000000002
    assert regime(0.7 - 0.75, 1 - 0.1 * 1.0000000000000002) == "II-B"


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_unknown_is_not_told(unknown: float | None) -> None:
    assert raises_temperature(unknown) is None
    assert regime(unknown, 0.95) is None
    assert regime(0.0, unknown) is None
    assert regime(-0.4, unknown) == "I", "poor connectivity tells by itself"


@given(st.lists(st.sampled_from([None, "I", "II-A", "II-B"])))
def test_shares_are_of_all_verdicts(verdicts: list[Regime | None]) -> None:
    found = shares(verdicts)
    assert tuple(found) == get_args(Regime)
    told = [verdict for verdict in verdicts if verdict is not None]
    assert sum(found.values()) == pytest.approx(len(told) / len(verdicts) if verdicts else 0)
    assert all(found[each] == pytest.approx(told.count(each) / max(1, len(verdicts))) for each in get_args(Regime))


@pytest.mark.parametrize(
    ("name", "hot", "cold"), [("epochs", 10, 160), ("batch_size", 16, 512), ("rho", 0.8, 0.0), ("lr", 0.5, 0.01)]
)
def test_hotter_is_noisier(name: str, hot: float, cold: float) -> None:
    """P4 section 2.1: fewer epochs, smaller batches, a larger neighbourhood."""
    assert hotter_first(name, [cold, hot]) == hotter_first(name, [hot, cold]) == (hot, cold)
    kind = TEMPERATURES[name]
    assert (kind.name, kind.hotter_is) == (name, "smaller" if hot < cold else "larger")
    assert all((kind.words, kind.raise_it, kind.lower_it))


def test_an_unknown_temperature_is_refused_by_name() -> None:
    with pytest.raises(MeasureError, match=r"temperature: there is no 'epoch'.*epochs"):
        hotter_first("epoch", [1, 2])


@given(NUMBERS)
def test_the_highest_is_the_first_of_the_highest(worths: list[float | None]) -> None:
    known = [worth for worth in worths if worth is not None and not math.isnan(worth)]
    found = highest(worths)
    assert found == (worths.index(max(known)) if known else None)


@given(NUMBERS, st.data())
def test_selection_reads_as_the_algorithms(errors: list[float | None], data: st.DataObject) -> None:
    """Against loops over the candidates, and asked for no more than the algorithm needs."""
    n = len(errors)
    lmcs = data.draw(st.lists(st.sampled_from([None, -0.4, -0.06, -0.05, 0.0, 0.1]), min_size=n, max_size=n))
    worths = data.draw(st.lists(st.none() | st.integers(0, 4).map(float), min_size=n, max_size=n))
    candidates = [i for i, error in enumerate(errors) if error is not None and not math.isnan(error)]
    asked: list[tuple[str, int]] = []

    def lmc_of(i: int) -> float | None:
        asked.append(("lmc", i))
        return lmcs[i]

    def worth_of(i: int) -> float | None:
        asked.append(("worth", i))
        return worths[i]

    if not candidates:
        with pytest.raises(MeasureError, match="select: there is no dense network to choose"):
            select(errors, lmc_of, worth_of)
        assert asked == []
        return
    found = select(errors, lmc_of, worth_of)
    first = min(candidates, key=lambda i: (errors[i], i))
    lmc = lmcs[first]
    if lmc is not None and lmc >= -0.05:
        assert found == Selection(first, first, False, (first,))
        assert asked == [("lmc", first)]
        return
    trained = [i for i in candidates if worths[i] is not None]
    best = min(trained, key=lambda i: (-(worths[i] or 0.0), i), default=first)
    assert (found.chosen, found.first, found.poorly_connected) == (best, first, None if lmc is None else True)
    assert found.looked_at[0] == first
    assert found.fell_back == (not trained)
    assert sorted(found.looked_at) == candidates
    assert asked == [("lmc", first), *(("worth", i) for i in candidates)]
