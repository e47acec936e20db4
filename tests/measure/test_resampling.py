"""Bootstraps against the measures themselves of the rows that were literally drawn."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from secateurs.core import MeasureError
from secateurs.measure import Barrier, bootstrap_cka, bootstrap_lmc, cka
from toys import content, generator, surroundings


def drawn(n: int, draws: int, seed: int) -> Tensor:
    """The indices that a generator draws, as many at once as fit."""
    source = generator(seed)
    return torch.cat([torch.randint(n, (min(32, draws - k), n), generator=source) for k in range(0, draws, 32)])


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(2, 6), st.integers(1, 40), st.integers(0, 99))
def test_lmc_is_that_of_the_examples_drawn(n: int, points: int, draws: int, seed: int) -> None:
    correct = torch.rand(points, n, generator=generator(seed)) < 0.6
    found = bootstrap_lmc(correct, draws, generator=generator(seed + 1))
    assert (found.shape, found.dtype) == ((draws,), torch.float64)
    alphas = tuple(step / (points - 1) for step in range(points))
    for value, rows in zip(found.tolist(), drawn(n, draws, seed + 1), strict=True):
        errors = tuple(1 - float(marks[rows].double().mean()) for marks in correct)
        assert value == pytest.approx(Barrier(alphas, errors, errors).lmc, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(3, 40), st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.integers(0, 99))
def test_cka_is_that_of_the_examples_drawn(n: int, d: int, e: int, draws: int, seed: int) -> None:
    x = 1e3 + torch.randn(n, d, generator=generator(seed), dtype=torch.float64)
    y = torch.randn(n, e, generator=generator(seed + 1), dtype=torch.float64) * 1e-3
    y[:, 0] += x[:, 0]
    found = bootstrap_cka(x, y, draws, generator=generator(seed + 2))
    assert (found.shape, found.dtype) == ((draws,), torch.float64)
    for value, rows in zip(found.tolist(), drawn(n, draws, seed + 2), strict=True):
        if len(rows.unique()) == 1:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(cka(x[rows], y[rows]), abs=1e-9)


def test_a_draw_without_any_difference_has_no_cka() -> None:
    """One example of ten differs: 0.9^10 of all draws do without it."""
    x = torch.randn(10, 2, generator=generator(1))
    y = torch.full((10, 2), 0.1)
    y[3, 0] = 5.0
    found = bootstrap_cka(x, y, 400, generator=generator(2))
    without = torch.tensor([3 not in rows for rows in drawn(10, 400, 2)])
    assert torch.equal(found.isnan(), without)
    assert 0.25 < float(without.double().mean()) < 0.45
    assert bool(((found >= 0) & (found <= 1))[~without].all())


def test_what_agrees_agrees_in_every_draw() -> None:
    x = torch.randn(40, 3, generator=generator(1))
    assert bootstrap_cka(x, 7 * x.flip(1) - 2, 20, generator=generator(2)).tolist() == pytest.approx([1.0] * 20)
    assert bootstrap_lmc(torch.ones(11, 40) > 0, 20, generator=generator(2)).tolist() == [0.0] * 20
    marks = torch.rand(1, 40, generator=generator(3)).expand(11, -1)
    assert bootstrap_lmc(marks, 20, generator=generator(2)).tolist() == pytest.approx([0.0] * 20, abs=1e-12)


def test_the_spread_is_that_of_a_share() -> None:
    """Ends without errors, half the examples wrong between: the binomial's spread."""
    correct = torch.ones(3, 400).bool()
    correct[1, ::2] = False
    found = bootstrap_lmc(correct, 2000, generator=generator(4))
    assert float(found.mean()) == pytest.approx(-0.5, abs=0.005)
    assert float(found.std()) == pytest.approx(math.sqrt(0.25 / 400), rel=0.1)


def test_draws_follow_from_the_generator_alone() -> None:
    correct, x = torch.rand(3, 30, generator=generator(0)) < 0.5, torch.rand(30, 3, generator=generator(1))
    before, given_ = surroundings(), content(x)
    for draw in (
        lambda seed, draws: bootstrap_lmc(correct, draws, generator=generator(seed)),
        lambda seed, draws: bootstrap_cka(x, x.square(), draws, generator=generator(seed)),
    ):
        assert torch.equal(draw(1, 50), draw(1, 50))
        assert not torch.equal(draw(1, 50), draw(2, 50))
        assert torch.equal(draw(1, 96)[:64], draw(1, 64))
    assert (surroundings(), content(x)) == (before, given_)


def test_many_examples_are_drawn_in_smaller_lots_of_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    correct, x = torch.rand(3, 30, generator=generator(0)) < 0.5, torch.rand(30, 3, generator=generator(1))

    def draws() -> list[bytes]:
        marks = bootstrap_lmc(correct, 50, generator=generator(2))
        return [content(each) for each in (marks, bootstrap_cka(x, x.square(), 50, generator=generator(2)))]

    whole = draws()
    for numbers in (1, 100):
        monkeypatch.setattr("secateurs.measure.resampling._NUMBERS_AT_ONCE", numbers)
        assert draws() == whole


def test_what_cannot_be_resampled_is_refused() -> None:
    x = torch.rand(9, 3, generator=generator(0))
    for correct in (torch.ones(1, 9), torch.ones(9), torch.ones(3, 0)):
        with pytest.raises(MeasureError, match=r"bootstrap_lmc: correct is \[points, N\], of two points at least"):
            bootstrap_lmc(correct, generator=generator())
    for draws in (0, -1):
        with pytest.raises(MeasureError, match=f"bootstrap: draws: one at least, got {draws}"):
            bootstrap_lmc(torch.ones(2, 9), draws, generator=generator())
        with pytest.raises(MeasureError, match="draws: one at least"):
            bootstrap_cka(x, x, draws, generator=generator())
    for wrong, message in (
        (torch.ones(9, 3), "the same output for every example"),
        (x[:8], "outputs for 8 examples"),
        (torch.rand(9, 10, generator=generator()), "10 outputs for only 9 examples"),
    ):
        with pytest.raises(MeasureError, match=message):
            bootstrap_cka(x, wrong, generator=generator())
