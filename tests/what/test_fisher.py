"""The Fisher score against explicit loops over examples and labels in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
import torch

from nets import NETS, N, example
from oracle import Oracle, relative
from secateurs.core import Batch, PruningError, Spec, prunable
from secateurs.what import SCORES, fisher, score
from secateurs.zoo import MODELS, Classification, build_model
from toys import CLASSES, BrokenError, NoPrediction, Recording, generator, unchanged
from zoo_specs import SHAPE, small


@pytest.mark.parametrize("name", NETS)
def test_one_label_each_is_the_loop_with_the_same_labels(name: str) -> None:
    model, data = example(name)
    task, names = Recording(), list(prunable(model))
    with unchanged(model), NETS[name].warned():
        found = fisher(model, task, data.batches(N), generator=generator(1))
    expected = Oracle(model, data.inputs, names).fisher(task.labels)
    assert list(found) == names
    for key in names:
        assert found[key].dtype == torch.float64
        assert relative(found[key], expected[key]) < 1e-10, key


@pytest.mark.parametrize("name", NETS)
def test_true_labels_are_the_empirical_fisher(name: str) -> None:
    model, data = example(name)
    with unchanged(model), NETS[name].warned():
        found = score("fisher_empirical", model, Classification(CLASSES), data.batches(N))
    expected = Oracle(model, data.inputs, list(found)).fisher(data.targets)
    for key, values in found.items():
        assert relative(values, expected[key]) < 1e-10, key


@pytest.mark.parametrize("kind", MODELS)
def test_it_is_right_for_every_network_of_the_zoo(kind: str) -> None:
    model = build_model(small(kind, width=2), SHAPE, CLASSES, seed=1).double()
    x = torch.randn(2, *SHAPE, dtype=torch.float64, generator=generator(2))
    task = Recording()
    found = fisher(model, task, [Batch(x, torch.tensor([0, 1]))], generator=generator(3))
    expected = Oracle(model, x, list(found)).fisher(task.labels)
    for key, values in found.items():
        assert relative(values, expected[key]) < 1e-9, key


def test_its_mean_is_the_exact_expectation() -> None:
    model, data = example("conv, norm, dropout")
    source, draws = generator(7), 200
    found = [fisher(model, Classification(CLASSES), data.batches(N), generator=source) for _ in range(draws)]
    exact, variance = Oracle(model, data.inputs, list(found[0])).exact_fisher()
    for key, expected in exact.items():
        error = torch.stack([each[key] for each in found]).mean(0) - expected
        # Four standard errors for all entries together: each alone would be at fault once in a while.
        assert float(error.sum().abs()) < 4 * float(variance[key].sqrt().sum()) / math.sqrt(draws)
        assert float((error.abs() / (variance[key] / draws).sqrt().clamp_min(1e-30)).max()) < 5


@pytest.mark.parametrize("name", NETS)
def test_exact_labels_give_the_expectation_itself(name: str) -> None:
    model, data = example(name)
    with unchanged(model), NETS[name].warned():
        found = fisher(model, Classification(CLASSES), data.batches(N), labels="exact")
    expected, _ = Oracle(model, data.inputs, list(found)).exact_fisher()
    for key, values in found.items():
        assert relative(values, expected[key]) < 1e-10, key


def test_exact_labels_by_name_draw_nothing_and_need_a_distribution_with_factors() -> None:
    model, data = example("mlp")
    source = generator(1)
    before = source.get_state()
    score(Spec("fisher", {"labels": "exact"}), model, Classification(CLASSES), data.batches(N), generator=source)
    assert torch.equal(source.get_state(), before)
    message = r"Recorded has no factors\(\).*draw them instead \(labels=\"sampled\""
    with unchanged(model), pytest.raises(PruningError, match=message):
        fisher(model, Recording(), data.batches(N), labels="exact")
    with pytest.raises(PruningError, match="unknown labels 'exat'; choices: exact, sampled; did you mean 'exact'"):
        fisher(model, Recording(), data.batches(N), labels="exat")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 3, N])
def test_several_batches_give_what_one_gives(size: int) -> None:
    model, data = example("conv, norm, dropout")
    task, batches = Classification(CLASSES), [*data.batches(size)]
    one = score("fisher_empirical", model, task, data.batches(N))
    several = score("fisher_empirical", model, task, iter(batches))
    for key in one:
        assert relative(several[key], one[key]) < 1e-12


@pytest.mark.parametrize("name", ["mlp", "conv, norm, dropout", "groups", "tied"])
def test_masked_weights_act_as_zero_and_score_zero(name: str) -> None:
    model, data = example(name)
    kept = {key: torch.rand(p.shape, generator=generator(4)) < 0.6 for key, p in prunable(model).items()}
    task = Recording()
    with unchanged(model), NETS[name].warned():
        found = fisher(model, task, data.batches(4), mask=kept, generator=generator(5))
    with torch.no_grad():
        for key, p in prunable(model).items():
            p.mul_(kept[key])
    expected = Oracle(model, data.inputs, list(found)).fisher(task.labels)
    for key, values in found.items():
        assert relative(values, expected[key] * kept[key]) < 1e-10
        assert not values[~kept[key]].any()


def test_names_choose_and_order() -> None:
    model, data = example("conv, norm, dropout")
    task = Classification(CLASSES)
    whole = fisher(model, task, data.batches(N), generator=generator(1))
    some = fisher(model, task, data.batches(N), names=["5.weight"], generator=generator(1))
    assert list(some) == ["5.weight"]
    assert relative(some["5.weight"], whole["5.weight"]) < 1e-12
    beside = fisher(model, task, data.batches(N), names=["5.bias", "0.weight"], generator=generator(1))
    assert list(beside) == ["5.bias", "0.weight"]
    assert beside["5.bias"].shape == (CLASSES,)


def test_gradients_are_taken_where_the_caller_has_switched_them_off() -> None:
    model, data = example("mlp")
    task = Classification(CLASSES)
    expected = fisher(model, task, data.batches(N), generator=generator(1))
    with torch.no_grad():
        found = fisher(model, task, data.batches(N), generator=generator(1))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_frozen_weights_do_not_matter() -> None:
    model, data = example("conv, norm, dropout")
    task = Classification(CLASSES)
    expected = fisher(model, task, data.batches(N), generator=generator(1))
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    with unchanged(model):
        found = fisher(model, task, data.batches(N), generator=generator(1))
    assert list(found) == ["5.weight"]
    assert relative(found["5.weight"], expected["5.weight"]) < 1e-12


def test_in_float32_it_is_float32() -> None:
    model, data = example("conv, norm, dropout", torch.float32)
    task = Recording()
    found = fisher(model, task, data.batches(N), generator=generator(1))
    expected = Oracle(model, data.inputs, list(found)).fisher(task.labels)
    for key, values in found.items():
        assert values.dtype == torch.float32
        assert relative(values, expected[key]) < 1e-4


@pytest.mark.parametrize("fail_at", [0, 1])
def test_a_failure_inside_leaves_no_trace(fail_at: int) -> None:
    model, data = example("conv, norm, dropout")
    with unchanged(model), pytest.raises(BrokenError):
        fisher(model, Recording(fail_at=fail_at), data.batches(3), generator=generator(1))


def test_failing_data_leave_no_trace() -> None:
    def breaking(batches: Iterable[Batch]) -> Iterable[Batch]:
        yield next(iter(batches))
        raise BrokenError

    model, data = example("conv, norm, dropout")
    for name in ("fisher", "fisher_empirical"):
        with unchanged(model), pytest.raises(BrokenError):
            score(name, model, Classification(CLASSES), breaking(data.batches(3)), generator=generator(1))
    large = Batch(torch.zeros(2, 1, 9, 9).double(), data.targets[:2])
    with unchanged(model), pytest.raises(RuntimeError):
        fisher(model, Classification(CLASSES), [large], generator=generator(1))


@pytest.mark.parametrize("name", ["fisher", "fisher_empirical"])
def test_what_it_needs_is_said(name: str) -> None:
    model, data = example("mlp")
    task, source = Classification(CLASSES), generator()
    with pytest.raises(PruningError, match=f"{name}: pass the task"):
        SCORES[name](model, batches=data.batches(N), generator=source)
    with pytest.raises(PruningError, match=f"{name}: no data; pass batches of training examples"):
        SCORES[name](model, task, generator=source)
    with pytest.raises(PruningError, match=f"{name}: no data"):
        SCORES[name](model, task, [Batch(data.inputs[:0], data.targets[:0])], generator=source)
    with pytest.raises(PruningError, match=r"NoPrediction has no predictive\(output\)"):
        SCORES[name](model, NoPrediction(), data.batches(N), generator=source)
    with unchanged(model), pytest.raises(PruningError, match=r"no parameter '1\.weight'.*did you mean"):
        SCORES[name](model, task, data.batches(N), names=["1.weight"], generator=source)
    with pytest.raises(PruningError, match=r"fisher: pass generator="):
        fisher(model, task, data.batches(N))
