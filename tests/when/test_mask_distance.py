"""Mask distance against its definition: sort, keep, compare entry by entry."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor, nn

from secateurs.core import Moment, Observation, PruningError, SignalError, SignalState, Spec, prunable
from secateurs.when import MaskDistance, signal_of
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, Recording, generator, net, unchanged

Flags = list[bool]


def probe(count: int = 9) -> Fixed:
    return Fixed(torch.rand(count, 1, 6, 6, generator=generator(2)), torch.arange(count) % CLASSES)


def at(model: nn.Module, epoch: int, data: Fixed | None = None, seed: int = 0) -> Observation:
    return Observation(Moment(3 * epoch, 3), "epoch", model, Classification(CLASSES), probe=data, seed=seed)


def top(values: Sequence[float], density: float) -> Flags:
    """The largest floor(density n + 1/2), the first among equals."""
    count = math.floor(density * len(values) + 0.5)
    chosen = sorted(range(len(values)), key=lambda i: (-values[i], i))[:count]
    return [i in chosen for i in range(len(values))]


def by_hand(masks: Sequence[Flags], window: int) -> list[float | None]:
    found: list[float | None] = []
    for end in range(1, len(masks) + 1):
        *others, newest = masks[max(0, end - window) : end]
        distances = [sum(a != b for a, b in zip(other, newest, strict=True)) / len(newest) for other in others]
        found.append(max(distances) if end >= window else None)
    return found


def magnitudes(model: nn.Module) -> list[float]:
    return [abs(x) for p in prunable(model).values() for x in p.detach().flatten().tolist()]


def scales(model: nn.Module) -> list[float]:
    return [abs(x) for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine for x in m.weight.tolist()]


def shake(model: nn.Module, seed: int, strength: float = 0.3) -> None:
    source = generator(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=source), alpha=strength)


def normed() -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 7, 3),
            nn.BatchNorm2d(7),
            nn.BatchNorm2d(7, affine=False),
            nn.Flatten(),
            nn.Linear(28, CLASSES),
        )


def follow(signal: MaskDistance, model: nn.Module, look: Callable[[nn.Module], list[float]], epochs: int = 7) -> None:
    """Compare each epoch's value with what it is by hand; the mask of epoch 0 counts nowhere."""
    state, masks, values = signal.init(model), [], []
    for epoch in range(epochs + 1):
        with unchanged(model):
            state, value = signal.update(state, at(model, epoch))
        if epoch == 0:
            assert value is None
        else:
            masks.append(top(look(model), signal.density))
            values.append(None if value is None else float(value))
        shake(model, epoch)
    assert values == by_hand(masks, signal.window)
    assert any(values)  # the walk is no trivial one


@pytest.mark.parametrize("window", [2, 3, 5])
@pytest.mark.parametrize("density", [0.1, 0.5, 0.77])
def test_it_is_the_largest_distance_in_the_window(window: int, density: float) -> None:
    follow(MaskDistance(density=density, window=window), net(), magnitudes)


@pytest.mark.parametrize("window", [2, 4])
def test_channels_are_ranked_by_their_scale(window: int) -> None:
    follow(MaskDistance(of="bn_scale", density=0.4, window=window), normed(), scales)


STEPS = st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=1, max_size=8)


@given(STEPS, st.integers(2, 4), st.sampled_from([0.2, 0.5, 0.8]), st.frozensets(st.integers(0, 8)))
def test_it_is_its_definition_also_among_ties_and_after_interruptions(
    weights: list[list[int]], window: int, density: float, interrupted: frozenset[int]
) -> None:
    model, signal = nn.Linear(6, 1), MaskDistance(density=density, window=window)
    state, values = signal.init(model), []
    for epoch, row in enumerate(weights, start=1):
        model.weight.data.copy_(torch.tensor([row]))
        state = through_files(state) if epoch in interrupted else state
        state, value = signal.update(state, at(model, epoch))
        values.append(None if value is None else float(value))
    assert values == by_hand([top([abs(x) for x in row], density) for row in weights], window)
    assert all(value is None or 0 <= value <= 2 * min(density, 1 - density) for value in values)


def through_files(state: SignalState) -> SignalState:
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    plain = json.loads(json.dumps({key: value for key, value in state.items() if key not in tensors}))
    return {**load(save(tensors)), **plain}


@pytest.mark.parametrize("scope", ["layer", "erk"])
def test_scores_compete_in_the_scope(scope: str) -> None:
    def values(scope: str) -> list[float | None]:
        model, signal = net(), MaskDistance(density=0.3, window=2, scope=scope)  # type: ignore[arg-type]
        state, found = signal.init(model), []
        for epoch in range(4):
            state, value = signal.update(state, at(model, epoch))
            found.append(None if value is None else float(value))
            with torch.no_grad():
                model[5].weight.mul_(0.5)  # relative to the convolution: only among all layers does it matter
        return found

    assert values(scope) == [None, None, 0.0, 0.0]
    assert values("global") != values(scope)


def test_a_mask_takes_one_bit_an_entry_and_the_window_no_more_than_it_must() -> None:
    model, signal = net(), MaskDistance(window=3)
    state = signal.init(model)
    for epoch in range(9):
        state, _ = signal.update(state, at(model, epoch))
        shake(model, epoch)
    total = sum(p.numel() for p in prunable(model).values())
    assert state["entries"] == total
    assert (state["masks"].dtype, state["masks"].shape) == (torch.uint8, (3, math.ceil(total / 8)))
    assert state["masks"].untyped_storage().nbytes() == state["masks"].nbytes


# ---------------------------------------------------------------------------------- scores with data


def test_scores_see_the_first_examples_of_the_probe_in_one_batch() -> None:
    model, data, task = net(), probe(), Recording()
    signal = MaskDistance(score="fisher", samples=4, window=2)
    _, _ = signal.update(signal.init(model), Observation(Moment(3, 3), "epoch", model, task, probe=data))
    assert data.taken == 4
    assert [len(labels) for labels in task.drawn] == [4]
    with pytest.raises(PruningError):
        signal.update(signal.init(model), at(model, 1))


@pytest.mark.parametrize("score", ["fisher", "fisher_empirical", "random"])
def test_what_is_drawn_is_the_same_at_every_epoch(score: str) -> None:
    """So that a network that stands still has masks that do."""
    model, signal = net(), MaskDistance(score=score, density=0.5, window=2)

    def masks(seed: int) -> Tensor:
        state = signal.init(model)
        for epoch in (1, 2):
            with unchanged(model):
                state, value = signal.update(state, at(model, epoch, probe(), seed))
        assert value is not None
        assert float(value) == 0
        return state["masks"][0]  # type: ignore[no-any-return]

    assert torch.equal(masks(0), masks(1)) == (score == "fisher_empirical")


def test_options_of_the_score_go_with_it() -> None:
    empirical, sampled = (MaskDistance(score=Spec(name), window=2) for name in ("fisher_empirical", "fisher"))
    found = [s.update(s.init(net()), at(net(), 1, probe()))[0]["masks"] for s in (empirical, sampled)]
    assert not torch.equal(*found)
    assert signal_of(Spec("mask_distance", {"score": Spec("fisher")})) == MaskDistance(Spec("fisher"))
    assert hash(MaskDistance(Spec("fisher", {}))) == hash(MaskDistance(Spec("fisher")))
    with pytest.raises(SignalError, match="mask_distance: score 'fisher' has no option 'sampels'"):
        MaskDistance(score=Spec("fisher", {"sampels": 3}))
    with pytest.raises(SignalError, match="mask_distance: obd: probes: expected at least 1, got 0"):
        MaskDistance(score=Spec("obd", {"probes": 0}))


# ------------------------------------------------------------------------------- what cannot be done


def test_where_scores_are_not_finite_there_is_no_mask() -> None:
    model, signal = net(), MaskDistance(window=2)
    state, _ = signal.update(signal.init(model), at(model, 1))
    kept = model[5].weight.detach().clone()
    model[5].weight.data[0, 0] = math.inf
    following, value = signal.update(state, at(model, 2))
    assert value is not None
    assert math.isnan(float(value))
    assert following is state
    model[5].weight.data.copy_(kept)
    assert float(signal.update(following, at(model, 3))[1] or 0) == 0


def test_another_network_is_refused() -> None:
    signal = MaskDistance()
    state, _ = signal.update(signal.init(net()), at(net(), 1))
    with pytest.raises(SignalError, match=r"masks so far are of 108 entries, the network has 6 now: begin a new watch"):
        signal.update(state, at(nn.Linear(6, 1), 2))


def test_a_network_without_what_is_ranked_is_refused_at_once() -> None:
    for model in (nn.Linear(2, 2), nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3).requires_grad_(False)):
        with pytest.raises(SignalError, match=r'of="bn_scale".: the model has no batch norm with a trainable scale'):
            MaskDistance(of="bn_scale").init(model)
    MaskDistance(of="bn_scale").init(nn.BatchNorm2d(3))
    with pytest.raises(PruningError, match="no prunable weights"):
        MaskDistance().init(nn.BatchNorm2d(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"density": 0}, "density must lie between 0 and 1"),
        ({"density": 1}, "density must lie between 0 and 1"),
        ({"density": math.nan}, "density must lie between 0 and 1"),
        ({"window": 1}, "window be at least 2"),
        ({"samples": 0}, "samples at least 1"),
        ({"scope": "globl"}, "unknown scope 'globl'.*did you mean 'global'"),
        ({"of": "bn_scal"}, "unknown of 'bn_scal'.*did you mean 'bn_scale'"),
        ({"score": "magnitud"}, "unknown score 'magnitud'.*did you mean 'magnitude'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(SignalError, match=f"mask_distance: .*{message}"):
        MaskDistance(**options)  # type: ignore[arg-type]
