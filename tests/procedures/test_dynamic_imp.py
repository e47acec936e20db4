"""One-shot dynamic IMP: step by step what Algorithm 5 says, and its variants what their names say."""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from secateurs.core import PruningError, Spec, TrainingError, TrainState, derive_seed, prunable
from secateurs.how import Mask, keep_top, survivors
from secateurs.procedures import DynamicImp, DynamicImpSettings, all_grown, dynamic_imp, laid_on
from secateurs.procedures.growth import dense_gradient
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.zoo import MODELS, build_model
from toys import RESNET, same_bits, toy_data

dynamic_imp_module = importlib.import_module("secateurs.procedures.dynamic_imp")  # its function has its name
DATA = toy_data()
TRAIN = TrainSettings(epochs=3, batch_size=16, lr=0.05)  # three steps an epoch
SEEDS = Seeds(init=1, order=2, pruning=3)
AT = {"density": 0.3, "switches": ["4it"]}


def found(**changes: Any) -> DynamicImp:
    return dynamic_imp(RESNET, DATA, DynamicImpSettings(**{**AT, **changes}), TRAIN, seeds=SEEDS)


def new() -> TrainState:
    return begin(RESNET, DATA, TRAIN, init_seed=SEEDS.init)


def trained(state: TrainState, until: str | int) -> TrainState:
    return train(state, DATA, TRAIN, until=until, order_seed=SEEDS.order)


def magnitudes(state: TrainState) -> dict[str, Tensor]:
    return {name: weight.detach().abs() for name, weight in prunable(state.model).items()}


def weights(state: TrainState) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in prunable(state.model).items()}


def sparse_before(first: Mask) -> TrainState:
    """W'_k, the end of the first phase."""
    return trained(laid_on(new(), first), "4it")


def grown(first: Mask, what: str = "regrown") -> TrainState:
    """W''_k by hand: the end of the first sparse phase, with a new initialisation where it has nothing."""
    state = sparse_before(first)
    seed = derive_seed("reinitialise", derive_seed(what, SEEDS.pruning, 4))
    values = dict(build_model(RESNET, DATA.input_shape, DATA.num_classes, seed).named_parameters())
    with torch.no_grad():
        for name, kept in first.items():
            weight = state.model.get_parameter(name)
            weight[~kept] = values[name][~kept]
    return state.take(mask=None)


def test_it_is_the_algorithm_step_by_step() -> None:
    result = found()
    first = keep_top(magnitudes(trained(new(), "4it")), 0.3)
    second = keep_top(magnitudes(trained(grown(first), 3)), 0.3)
    assert result.masks == (first, second)
    end = trained(laid_on(grown(first), second), 3)
    assert same_bits(result.state.model, end.model)
    assert Mask(result.state.mask or {}) == second
    assert str(result.state.moment) == "3ep"


def test_what_is_grown_is_new_and_the_rest_goes_on() -> None:
    first = found().masks[0]
    before = sparse_before(first)
    momentum = {
        name: before.optimizer.state[before.model.get_parameter(name)]["momentum_buffer"].clone() for name in first
    }
    was = weights(before)
    one = all_grown(before.fork(), DATA, TRAIN, RESNET, SEEDS.pruning)
    other = all_grown(before.fork(), DATA, TRAIN, RESNET, SEEDS.pruning, again=True)
    assert one.mask is None
    for name, kept in first.items():
        assert torch.equal(weights(one)[name][kept], was[name][kept])
        assert (weights(one)[name][~kept] != 0).all()
        assert not (weights(one)[name] == weights(other)[name])[~kept].any()
        held = one.optimizer.state[one.model.get_parameter(name)]["momentum_buffer"]
        assert torch.equal(held, momentum[name])
        assert (held[~kept] == 0).all()
    assert not same_bits(one.model, new().model)


@pytest.mark.parametrize(
    "changes",
    [{}, {"first": "random"}, {"scope": "erk"}, {"overlap": 0.95}, {"grow": "random"}, {"switches": ["2it", 1, 2]}],
    ids=str,
)
def test_every_mask_has_the_density_and_the_end_is_sparse(changes: dict[str, Any]) -> None:
    result = found(**changes)
    assert len(result.masks) == len(changes.get("switches", "x")) + 1
    for mask in result.masks:
        assert mask.kept == survivors(0.3, mask.total)
    assert all(one != other for one, other in pairwise(result.masks))
    for name, kept in result.masks[-1].items():
        assert (result.state.model.get_parameter(name)[~kept] == 0).all()


def test_first_masks() -> None:
    plain, random, magnitude = (found(first=first).masks[0] for first in ("imp", "random", "magnitude"))
    assert magnitude == keep_top(magnitudes(new()), 0.3)
    assert len({plain, random, magnitude}) == 3
    assert (random & magnitude).kept == pytest.approx(0.3 * random.kept, rel=0.35)


def test_overlap_is_forced_no_further_than_asked() -> None:
    plain = found()
    share = (plain.masks[0] & plain.masks[1]).kept / plain.masks[1].kept
    assert share < 0.9
    assert found(overlap=share / 2).masks == plain.masks
    first, second = found(overlap=0.95).masks
    assert first == plain.masks[0]
    assert (first & second).kept == survivors(0.95, second.kept)
    scores = magnitudes(trained(grown(first), 3))
    both = torch.cat([scores[name][second[name] & first[name]] for name in scores])
    left = torch.cat([scores[name][first[name] & ~second[name]] for name in scores])
    assert both.min() >= left.max(), "the highest of the earlier mask stay"
    first, second = found(overlap=0.9, scope="layer").masks
    stayed = {name: int(kept.sum()) for name, kept in (first & second).items()}
    assert all(count >= survivors(0.9, int(second[name].sum())) for name, count in stayed.items())


def test_grown_weights_that_are_drawn_once_more() -> None:
    plain, again = found(), found(reinitialise=True)
    assert again.masks == plain.masks
    end = trained(laid_on(grown(again.masks[0], "regrown again"), again.masks[1]), 3)
    assert same_bits(again.state.model, end.model)
    assert not same_bits(again.state.model, plain.state.model)


def test_connections_by_other_criteria_take_the_place_of_imp_s() -> None:
    plain = found()
    first, second = plain.masks
    sparse = sparse_before(first)
    gradient = dense_gradient(sparse, DATA, TRAIN, order_seed=SEEDS.order)
    for grow in ("gradient", "random"):
        mask = found(grow=grow).masks[1]
        assert mask.layer_densities() == second.layer_densities()
        assert mask & first == second & first, "what is taken over is IMP's choice"
        assert mask != second
        for name in mask:
            chosen, passed = mask[name] & ~first[name], ~mask[name] & ~first[name]
            if grow == "gradient" and chosen.any() and passed.any():
                assert gradient[name][chosen].min() >= gradient[name][passed].max()


def test_it_is_seeded_and_stops_where_training_diverges() -> None:
    one, same = found(first="random", grow="random"), found(first="random", grow="random")
    assert one.masks == same.masks
    assert same_bits(one.state.model, same.state.model)
    other = dynamic_imp(
        RESNET, DATA, DynamicImpSettings(**AT, first="random"), TRAIN, seeds=SEEDS.model_copy(update={"pruning": 4})
    )
    assert other.masks[0] != one.masks[0]
    broken = dynamic_imp(RESNET, DATA, DynamicImpSettings(**AT), TRAIN.model_copy(update={"lr": 1e30}), seeds=SEEDS)
    assert broken.state.diverged is not None
    assert broken.masks == ()


@pytest.mark.parametrize("changes", [{}, {"first": "random"}, {"grow": "gradient"}], ids=str)
@pytest.mark.parametrize("spoilt", ["weight", "buffer"])
def test_what_the_last_step_of_a_phase_breaks_has_diverged(
    changes: dict[str, Any], spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loss tells of it: neither an exception nor silence."""
    phases: list[bool] = []  # of each training, whether it was sparse
    fatal = 0

    def broken(state: TrainState, *args: Any, **options: Any) -> TrainState:
        ended = train(state, *args, **options)
        phases.append(ended.mask is not None)
        if len(phases) == fatal:
            with torch.no_grad():
                if spoilt == "weight":
                    ended.model.get_parameter("fc.weight")[0, 0] = torch.nan
                else:
                    next(each for each in ended.model.buffers() if each.is_floating_point())[0] = torch.inf
        return ended

    monkeypatch.setattr(dynamic_imp_module, "train", broken)
    found(**changes)
    trainings, begun = list(phases), 0
    assert len(trainings) == (3 if "first" in changes else 4)
    for number, sparse in enumerate(trainings, 1):
        phases.clear()
        fatal = number
        result = found(**changes)
        assert phases == trainings[:number], "nothing is trained after it"
        assert result.state.diverged == result.state.moment
        assert str(result.state.moment) == ("1ep1it" if number <= len(trainings) - 2 else "3ep")
        begun += sparse
        assert len(result.masks) == begun


def test_a_gradient_that_is_not_finite_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflown(*args: Any, **options: Any) -> dict[str, Tensor]:
        return {name: each.mul(torch.inf) for name, each in dense_gradient(*args, **options).items()}

    monkeypatch.setattr(dynamic_imp_module, "dense_gradient", overflown)
    result = found(grow="gradient")
    assert result.state.diverged == result.state.moment
    assert str(result.state.moment) == "1ep1it"
    assert len(result.masks) == 1
    assert Mask(result.state.mask or {}) == result.masks[0]


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_an_overlap_of_less_than_one_weight_forces_nothing(scope: str) -> None:
    plain = found(scope=scope)
    assert found(scope=scope, overlap=1e-6).masks == plain.masks


def test_full_overlap_keeps_the_mask() -> None:
    for scope in ("global", "layer", "erk"):
        first, second = found(scope=scope, overlap=1).masks
        assert first == second


def test_grown_weights_of_two_names_are_drawn_by_the_mask_s() -> None:
    name = "tied_for_tests"

    class Tied(torch.nn.Module):
        def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
            super().__init__()
            self.held = torch.nn.ParameterDict()
            self.flat = torch.nn.Flatten()
            self.fc = torch.nn.Linear(int(torch.tensor(input_shape).prod()), num_classes)
            self.held["weight"] = self.fc.weight

        def forward(self, inputs: Tensor) -> Tensor:
            return self.fc(self.flat(inputs))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, name, Tied)
        model = Spec(name)
        result = dynamic_imp(model, DATA, DynamicImpSettings(**AT, grow="gradient"), TRAIN, seeds=SEEDS)
        assert [list(mask) for mask in result.masks] == [["fc.weight"], ["fc.weight"]]
        state = laid_on(begin(model, DATA, TRAIN, init_seed=1), result.masks[0])
        whole = all_grown(state, DATA, TRAIN, model, 0).model.get_parameter("fc.weight")
        assert (whole[~result.masks[0]["fc.weight"]] != 0).all()


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ([1, "2it"], "switches: 0ep2it does not come after 1ep: say moments inside the run"),
        ([0], "switches: 0ep does not come after 0ep"),
        ([3], "switches: 3ep leaves nothing of the run of 3 epochs"),
    ],
)
def test_switches_rise_inside_the_run(switches: list[Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        found(switches=switches)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PruningError, match="reinitialise: what is grown by random was not chosen by the values"):
        DynamicImpSettings(**AT, grow="random", reinitialise=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic_imp_module, "train", None)
        with pytest.raises(PruningError, match=r"exclude: the model has no module or parameter 'fcc'; choices: "):
            found(exclude=("fcc",))
    with pytest.raises(PruningError, match="switches: "):
        DynamicImpSettings(switches=[])
    with pytest.raises(PruningError, match="has no mask: there is nothing to be grown"):
        all_grown(new(), DATA, TRAIN, RESNET, 0)
