"""The table and its way in; and what chance and magnitude say of nets worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nets import example
from secateurs.core import PruningError, Scores, Spec, prunable
from secateurs.how import keep_top
from secateurs.what import SCORES, MeanLoss, ScoreSpec, magnitude, random, score
from secateurs.zoo import Classification
from toys import CLASSES, generator, net

TASK = Classification(CLASSES)


def test_magnitude_is_the_absolute_value() -> None:
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-2.0, 0.0, 1.5]]))
    scores = magnitude(model)
    assert scores["weight"].tolist() == [[2.0, 0.0, 1.5]]
    scores["weight"].zero_()
    assert model.weight.tolist() == [[-2.0, 0.0, 1.5]]


def test_random_is_uniform_and_follows_the_generator() -> None:
    model = nn.Linear(100, 100)
    values = random(model, generator=generator(1))["weight"]
    assert 0 <= float(values.min()) < 0.01
    assert 0.99 < float(values.max()) < 1
    assert abs(float(values.mean()) - 0.5) < 4 * (1 / 12 / 10_000) ** 0.5
    assert not torch.equal(values, random(model, generator=generator(2))["weight"])
    with pytest.raises(PruningError, match="random: pass generator="):
        random(model)


def test_names_specs_and_functions_all_serve() -> None:
    model = net()
    expected = magnitude(model)

    def negative(model: nn.Module, *_: object, power: float = 1.0, **__: object) -> dict[str, Tensor]:
        return {key: -(p.detach().abs() ** power) for key, p in prunable(model).items()}

    for what in ("magnitude", Spec("magnitude"), ScoreSpec("magnitude", {}), magnitude):
        found = score(what, model)
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    found = score(negative, model)  # type: ignore[arg-type]
    assert all(torch.equal(found[key], -expected[key]) for key in expected)


def test_options_of_a_spec_reach_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def power(model: nn.Module, *_: object, p: float, **__: object) -> dict[str, Tensor]:
        return {key: weight.detach().abs() ** p for key, weight in prunable(model).items()}

    monkeypatch.setitem(SCORES, "power", power)
    model = net()
    assert torch.equal(score(Spec("power", {"p": 2.0}), model)["5.weight"], model[5].weight.detach().abs() ** 2)


@pytest.mark.parametrize("make", [str, Spec])
def test_an_unknown_score_is_refused_with_the_choices(make: Callable[[str], str | Spec]) -> None:
    message = f"unknown score 'magnitud'; choices: {', '.join(sorted(SCORES))}; did you mean 'magnitude'?"
    with pytest.raises(PruningError, match=re.escape(message)):
        score(make("magnitud"), net())


def test_magnitude_in_units_of_the_layers_deviation() -> None:
    """Layers drawn with other variances are told apart by magnitude, and not in units of their own."""
    model = nn.Sequential(nn.Linear(60, 50), nn.Linear(50, 40), nn.Linear(40, 30))
    for deviation, weight in zip((0.01, 0.1, 1.0), prunable(model).values(), strict=True):
        nn.init.normal_(weight, 0, deviation, generator=generator(3))
    plain = keep_top(magnitude(model), 0.3).layer_densities()
    assert plain["0.weight"] == 0
    assert plain["2.weight"] > 0.9
    scores = magnitude(model, unit_variance=True)
    for density in keep_top(scores, 0.3).layer_densities().values():
        assert abs(density - 0.3) < 5 * (0.3 * 0.7 / 1200) ** 0.5
    for key, p in prunable(model).items():
        expected = p.detach().double().abs() / p.detach().double().square().mean().sqrt()
        torch.testing.assert_close(scores[key].double(), expected, rtol=1e-6, atol=0)


def test_the_deviation_is_that_of_the_weights_kept() -> None:
    model = nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, -4.0, 100.0, 0.0]]))
    kept = torch.tensor([[True, True, False, False]])
    found = magnitude(model, mask={"weight": kept}, unit_variance=True)["weight"]
    torch.testing.assert_close(found, torch.tensor([[3.0, 4.0, 0.0, 0.0]]) / 12.5**0.5)
    nothing = magnitude(model, mask={"weight": torch.zeros(1, 4) != 0}, unit_variance=True)["weight"]
    assert not nothing.any()


def test_random_in_global_scope_prunes_layers_evenly() -> None:
    """Each layer's share is hypergeometric: within five standard deviations of the whole's."""
    model = nn.Sequential(nn.Linear(60, 50), nn.Linear(50, 40), nn.Linear(40, 10))
    total = sum(p.numel() for p in prunable(model).values())
    for seed in range(5):
        for density in (0.05, 0.5):
            kept = keep_top(random(model, generator=generator(seed)), density)
            for name, found in kept.layer_densities().items():
                n = kept[name].numel()
                deviation = (density * (1 - density) / n * (total - n) / (total - 1)) ** 0.5
                assert abs(found - density) < 5 * deviation


def test_a_function_of_ones_own_serves_wherever_a_name_does() -> None:
    """P1's three lines: with weights and data, checked like any other score, and good for a mask."""

    def own(model: nn.Module, task: object, batches: object, *, names: object = None, **_: object) -> Scores:
        loss = MeanLoss(model, task, batches, names)  # type: ignore[arg-type]
        return {name: (w * loss.gradient()[name]).abs() for name, w in loss.weights.items()}

    model, data = example("mlp")
    found = score(own, model, TASK, data.batches(4), names=["0.weight"])  # type: ignore[arg-type]
    expected = score("snip", model, TASK, data.batches(4), names=["0.weight"])
    assert torch.equal(found["0.weight"], expected["0.weight"])
    assert keep_top(found, 0.25).kept == 5

    def broken(model: nn.Module, *_: object, **__: object) -> Scores:
        return {name: p / 0 for name, p in prunable(model).items()}

    with pytest.raises(PruningError, match=r"score of '0\.weight' is not finite"):
        score(broken, model)  # type: ignore[arg-type]


def test_the_paper_and_the_empirical_fisher_are_different() -> None:
    model, data = example("conv, norm, dropout")
    one = score("fisher", model, TASK, data.batches(4), generator=generator())
    other = score("fisher_empirical", model, TASK, data.batches(4))
    assert not torch.allclose(one["5.weight"], other["5.weight"])
