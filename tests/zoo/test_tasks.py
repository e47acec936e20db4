"""Classification and its predictive distribution against explicit formulas."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Batch, DataError, Factored, Judges
from secateurs.zoo import Categorical, Classification
from toys import generator, surroundings

LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0], [-1.0, 4.0, 4.0]], dtype=torch.float64)
TARGETS = torch.tensor([2, 0, 1])
BATCH = Batch(torch.zeros(3, 5), TARGETS)


def p(row: list[float]) -> list[float]:
    total = sum(math.exp(z) for z in row)
    return [math.exp(z) / total for z in row]


def test_loss_is_cross_entropy() -> None:
    task = Classification(3)
    expected = [-math.log(p(row)[y]) for row, y in zip(LOGITS.tolist(), TARGETS.tolist(), strict=True)]
    assert task.losses(LOGITS, BATCH).tolist() == pytest.approx(expected, rel=1e-12)
    assert float(task.loss(LOGITS, BATCH)) == pytest.approx(sum(expected) / 3, rel=1e-12)
    metrics = task.metrics(LOGITS, BATCH)
    assert float(metrics["loss"]) == pytest.approx(sum(expected), rel=1e-12)
    assert int(metrics["correct"]) == 1  # of a tie the first class is the prediction
    assert task.size(BATCH) == 3


def test_each_example_is_judged_and_the_sum_is_counted() -> None:
    task = Classification(3)
    assert isinstance(task, Judges)
    assert task.correct(LOGITS, BATCH).tolist() == [False, False, True], "of equal logits the first counts"
    assert float(task.metrics(LOGITS, BATCH)["correct"]) == 1.0


@given(st.floats(0, 0.99))
def test_smoothed_loss_is_its_formula(smoothing: float) -> None:
    expected = 0.0
    for row, y in zip(LOGITS.tolist(), TARGETS.tolist(), strict=True):
        target = [(1 - smoothing) * (c == y) + smoothing / 3 for c in range(3)]
        expected -= sum(t * math.log(q) for t, q in zip(target, p(row), strict=True)) / 3
    assert float(Classification(3).smoothed_loss(LOGITS, BATCH, smoothing)) == pytest.approx(expected, rel=1e-10)


def test_log_prob_is_the_log_of_softmax_and_differentiable() -> None:
    z = LOGITS.clone().requires_grad_()
    found = Categorical(z).log_prob(TARGETS)
    expected = [math.log(p(row)[y]) for row, y in zip(LOGITS.tolist(), TARGETS.tolist(), strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    (gradient,) = torch.autograd.grad(found.sum(), z)
    for row, y, g in zip(LOGITS.tolist(), TARGETS.tolist(), gradient.tolist(), strict=True):
        assert g == pytest.approx([float(c == y) - q for c, q in enumerate(p(row))], rel=1e-12)


def test_labels_are_drawn_with_the_probabilities_said() -> None:
    draws, row = 20_000, [0.3, -1.0, 1.5, 0.0]
    around = surroundings()
    labels = Categorical(torch.tensor([row]).expand(draws, 4)).sample(generator(1))
    assert surroundings() == around
    assert (labels.shape, labels.dtype) == ((draws,), torch.int64)
    for label, probability in enumerate(p(row)):
        deviation = math.sqrt(probability * (1 - probability) / draws)
        assert abs(float((labels == label).double().mean()) - probability) < 4 * deviation


def test_draws_follow_from_the_generator_whatever_the_dtype_of_the_logits() -> None:
    z = torch.randn(50, 4, generator=generator(3)).bfloat16()
    one = Categorical(z.float()).sample(generator(5))
    assert torch.equal(one, Categorical(z.float()).sample(generator(5)))
    assert torch.equal(one, Categorical(z.double()).sample(generator(5)))
    assert torch.equal(one, Categorical(z).sample(generator(5)))
    assert not torch.equal(one, Categorical(z.float()).sample(generator(6)))


LOGIT_ROWS = st.integers(2, 7).flatmap(
    lambda c: st.lists(st.lists(st.floats(-40, 40), min_size=c, max_size=c), min_size=1, max_size=4)
)


@given(LOGIT_ROWS)
def test_factors_give_the_covariance_of_the_score(rows: list[list[float]]) -> None:
    """sum_k u_k u_k' = diag p - p p', from C - 1 vectors that each sum to 0."""
    z = torch.tensor(rows, dtype=torch.float64)
    p = z.softmax(-1)
    factors = torch.stack([*Categorical(z).factors()])
    assert factors.shape == (z.shape[1] - 1, *z.shape)
    found = torch.einsum("kni,knj->nij", factors, factors)
    assert float((found - (torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1))).abs().max()) < 1e-12
    assert float(factors.sum(-1).abs().max()) < 1e-12


def test_factors_have_the_type_of_the_logits_and_no_gradient() -> None:
    z = LOGITS.float().requires_grad_()
    assert isinstance(Categorical(z), Factored)
    assert all(u.dtype == torch.float32 and not u.requires_grad for u in Categorical(z).factors())
    z = torch.tensor([[math.nan, 0.0, 1.0], [0.0, -math.inf, 0.0]])
    first, second = torch.stack([*Categorical(z).factors()]).unbind(1)
    assert bool(first.isnan().all())
    assert bool(second.isfinite().all())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nothing_measured_on_a_diverged_network_passes_for_a_number(bad: float) -> None:
    distribution = Categorical(torch.tensor([[bad, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    labels = distribution.sample(generator())
    assert bool(((labels >= 0) & (labels < 3)).all())
    log_p = distribution.log_prob(labels)
    assert math.isnan(float(log_p[0]))
    assert math.isfinite(float(log_p[1]))


def test_classes_with_no_probability_are_not_drawn() -> None:
    z = torch.tensor([[0.0, -math.inf, 0.0]]).expand(500, 3)
    assert set(Categorical(z).sample(generator()).tolist()) == {0, 2}


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_classes_there_must_be(classes: int) -> None:
    with pytest.raises(DataError, match=f"classification needs at least 2 classes, got {classes}"):
        Classification(classes)
