"""One contract for every score of the table, and what each score says of a net worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import PruningError, Scores, Spec, prunable
from secateurs.how import keep_top
from secateurs.what import SCORES, ScoreSpec, magnitude, random, score
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, generator, net, unchanged

TASK = Classification(CLASSES)
contract = pytest.mark.parametrize("name", SCORES)


def scored(name: str, model: nn.Module, seed: int = 1, **options: object) -> Scores:
    data = Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)), torch.arange(9) % CLASSES)
    return score(name, model, TASK, data.batches(4), generator=generator(seed), **options)  # type: ignore[arg-type]


@contract
@pytest.mark.parametrize("mode", [True, False])
def test_a_score_is_pure(name: str, mode: bool) -> None:
    model = net()
    model[3].train(mode)
    with unchanged(model):
        scored(name, model)


@contract
def test_a_score_gives_each_prunable_weight_a_number(name: str) -> None:
    model = net()
    scores = scored(name, model)
    assert list(scores) == list(prunable(model))
    for key, p in prunable(model).items():
        assert scores[key].shape == p.shape
        assert scores[key].dtype == p.dtype
        assert not scores[key].requires_grad
        assert bool(scores[key].isfinite().all())
        assert len(scores[key].unique()) > 1
        assert scores[key].data_ptr() != p.data_ptr()


@contract
def test_equal_generators_give_equal_scores(name: str) -> None:
    model = net()
    one, again = scored(name, model), scored(name, model)
    assert all(torch.equal(one[key], again[key]) for key in one)


@contract
def test_the_global_random_state_does_not_matter(name: str) -> None:
    model = net()
    one = scored(name, model)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(99)
        again = scored(name, model)
    assert all(torch.equal(one[key], again[key]) for key in one)


@contract
def test_mode_and_gradients_of_the_model_do_not_matter(name: str) -> None:
    model = net()
    one = scored(name, model)
    model.train()
    model.zero_grad()
    again = scored(name, model)
    assert all(torch.equal(one[key], again[key]) for key in one)


@contract
def test_masked_weights_are_out(name: str) -> None:
    model = net()
    full = scored(name, model)
    kept = keep_top(full, 0.5)
    with unchanged(model):
        masked = scored(name, model, mask=kept)
    assert all(not masked[key][~kept[key]].any() for key in kept)
    fewer = keep_top(masked, 0.2, within=kept)
    assert all(bool((kept[key] | ~fewer[key]).all()) for key in kept)
    with torch.no_grad():  # acting as zero: what stands where nothing is left is of no account
        for key, p in prunable(model).items():
            p[~kept[key]] = 7.0
    again = scored(name, model, mask=kept)
    assert all(torch.equal(masked[key], again[key]) for key in masked)


@contract
def test_a_mask_may_cover_a_part(name: str) -> None:
    model = net()
    masked = scored(name, model, mask={"5.weight": torch.zeros(3, 27, dtype=torch.bool)}, names=["0.weight"])
    assert list(masked) == ["0.weight"]
    assert masked["0.weight"].shape == (3, 1, 3, 3)


@contract
def test_chosen_names(name: str) -> None:
    model = net()
    some = scored(name, model, names=["5.weight"])
    assert list(some) == ["5.weight"]
    with unchanged(model), pytest.raises(PruningError, match=r"no parameter '5\.wight'.*did you mean '5\.weight'"):
        scored(name, model, names=["5.wight"])


@contract
def test_scoring_a_diverged_network_is_refused(name: str) -> None:
    model = net()
    with torch.no_grad():
        model[5].weight.fill_(torch.nan)
    if name == "random":
        assert scored(name, model)
        return
    with unchanged(model), pytest.raises(PruningError, match=r"score of '\S+' is not finite: has training diverged\?"):
        scored(name, model)


@contract
def test_it_works_in_float64(name: str) -> None:
    model = net(dtype=torch.float64)
    data = Fixed(torch.rand(5, 1, 6, 6, generator=generator(2)).double(), torch.arange(5) % CLASSES)
    scores = score(name, model, TASK, data.batches(2), generator=generator())
    assert list(scores) == list(prunable(model))
    assert {values.dtype for values in scores.values()} <= {torch.float64, torch.float32}


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


def test_the_paper_and_the_empirical_fisher_are_different() -> None:
    model = net()
    one, other = scored("fisher", model), scored("fisher_empirical", model)
    assert not torch.allclose(one["5.weight"], other["5.weight"])
