"""Pearson's coefficient against numpy's, its bounds, and what has none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import MeasureError
from secateurs.measure import pearson

NUMBERS = st.integers(-(10**6), 10**6).map(lambda number: number / 64)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30)


@given(PAIRS)
def test_it_is_numpy_s(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs, dtype=np.float64).T
    found = pearson(torch.tensor(x), torch.tensor(y))
    if x.min() == x.max() or y.min() == y.max():
        assert found is None
        return
    assert found is not None
    assert -1 <= found <= 1
    assert found == pearson(torch.tensor(y), torch.tensor(x))
    assert found == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


@given(PAIRS, st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_shift_and_scale_do_not_matter(pairs: list[tuple[float, float]], scale: float, shift: float) -> None:
    x, y = torch.tensor(pairs, dtype=torch.float64).T
    found = pearson(x, y)
    if found is not None:
        assert pearson(scale * x + shift, y) == pytest.approx(found, abs=1e-6)
        assert pearson(-x, y) == pytest.approx(-found, abs=1e-12)


def test_tiny_and_huge_numbers_have_one() -> None:
    x = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    y = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    found = pearson(x, y)
    assert found is not None
    assert pearson(1e-200 * x, 1e200 * y) == pytest.approx(found, abs=1e-15)


def test_any_shape_and_half_precision() -> None:
    x = torch.arange(6.0).view(2, 3).requires_grad_()
    assert pearson(x, torch.arange(6.0, dtype=torch.bfloat16)) == 1.0


@pytest.mark.parametrize(
    ("x", "y"), [([], []), ([1.0], [2.0]), ([0.1, 0.1, 0.1], [1.0, 2.0, 3.0]), ([1.0, 2.0], [0.0, 0.0])]
)
def test_what_is_constant_goes_with_nothing(x: list[float], y: list[float]) -> None:
    assert pearson(torch.tensor(x), torch.tensor(y)) is None


def test_what_has_no_coefficient_is_refused() -> None:
    with pytest.raises(MeasureError, match="3 entries against 2"):
        pearson(torch.ones(3), torch.ones(2))
    with pytest.raises(MeasureError, match="not finite"):
        pearson(torch.tensor([1.0, torch.nan]), torch.ones(2))
