"""Channels: found as one would by hand, cut with the optimiser, in one step, in many, and in rounds of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import Batch, Group, Keep, PruningError, Spec, Task, generator_for
from secateurs.how import (
    Mask,
    channel_groups,
    keep_density,
    keep_top_channels,
    mask_channels,
    remove_channels,
)
from secateurs.procedures import (
    ChannelSettings,
    MaskSettings,
    PruneChannelSettings,
    PruneSettings,
    channel_facts,
    find_channels,
    mask_facts,
    prune,
    prune_step,
)
from secateurs.procedures.settings import Schedule
from secateurs.train import begin
from secateurs.what import CHANNEL_SCORES, CHANNELS_WITHOUT_EXAMPLES, channel_score
from secateurs.zoo import build_model
from small_channels import DATA, HALF, NET, TRAINING, at, left_by
from toys import RESNET, content, images, surroundings, unchanged

GROUPS = channel_groups(NET, DATA.example)
TOTALS = {
    "weights": sum(p.numel() for p in NET.parameters() if p.ndim > 1),
    "channels": sum(p.shape[0] for p in NET.parameters() if p.ndim == 4),
}


@dataclass
class Widths:
    """Random, but drawn from the widths that it sees; remembers the examples that it was given."""

    seen: list[list[Batch]] = field(default_factory=list)
    widths: list[dict[str, int]] = field(default_factory=list)

    def __call__(
        self,
        model: nn.Module,
        task: Task | None = None,
        batches: Iterable[Batch] = (),
        groups: Iterable[Group] = (),
        *,
        mask: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        groups = tuple(groups)
        self.seen.append(list(batches))
        self.widths.append({group.name: group.units for group in groups})
        return {group.name: torch.rand(group.units, generator=generator) for group in groups}


# ------------------------------------------------------------------------------------------ settings


def test_settings_of_channels_load_again_and_those_of_masks_are_told_as_ever() -> None:
    shared = ["density", "scope", "score", "schedule", "steps"]
    looked, then = ["examples_per_class", "exclude"], ["after", "min_lr", "fresh_optimizer"]
    of_mask = [*shared, "revive", "invert", *looked]
    assert list(MaskSettings().model_dump()) == of_mask
    assert list(PruneSettings().model_dump()) == [*of_mask, "ablation", *then]
    own = ["counted", "minimum", "multiple_of"]
    assert list(PruneChannelSettings().model_dump()) == [*shared, *looked, *own, *then]
    for kind in (ChannelSettings, PruneChannelSettings):
        made = kind(score=Spec("snip", {"reduce": "mean"}), schedule="early_crop", density=0.1, multiple_of=2)
        assert kind.model_validate_json(made.model_dump_json()) == made
        assert len(made.densities()) == 7
    assert ChannelSettings(score="synflow").schedule == "exponential"
    assert ChannelSettings(schedule="rounds").densities() == ChannelSettings(schedule="linear", steps=5).densities()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score": "filter_nrm", "steps": 2}, "schedule one_shot has 1 step"),
        ({"score": Spec("snip", {"reduc": "sum"})}, "score 'snip' has no option 'reduc'"),
        ({"scope": "erk"}, "scope"),
        ({"counted": "units"}, "counted"),
        ({"minimum": 0}, "minimum"),
        ({"revive": True}, "revive: unknown key"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PruningError, match=message):
        ChannelSettings(**given)


# ------------------------------------------------------------------------------------------ finding


def by_hand(model: nn.Module, chosen: ChannelSettings, seed: int) -> dict[str, list[int]]:
    """Cut, trace anew, score, cut further: which of the dense units are left, by lists of their numbers."""
    generator = generator_for("pruning", seed)
    batches = list(DATA.train.balanced(chosen.examples_per_class, generator)) if needs_data(chosen) else []
    dense = channel_groups(model, DATA.example)
    total = sum(w.numel() for w in model.parameters() if w.ndim > 1)
    left = {group.name: list(range(group.units)) for group in dense}
    small = model
    for density in chosen.densities():
        groups = channel_groups(small, DATA.example)
        scores = channel_score(small, DATA.task, batches, groups, name=chosen.score, generator=generator)
        now = sum(w.numel() for w in small.parameters() if w.ndim > 1)
        if now <= int(density * total + 0.5):
            continue
        keep = keep_top_channels(groups, scores, density * total / now)
        small = remove_channels(small, keep)
        left |= {name: [left[name][i] for i in flags.nonzero().flatten().tolist()] for name, flags in keep.items()}
    return left


def needs_data(chosen: ChannelSettings) -> bool:
    return chosen.score.name not in CHANNELS_WITHOUT_EXAMPLES


@pytest.mark.parametrize(
    ("score", "schedule"),
    [
        ("filter_norm", "exponential"),
        ("bn_scale", "linear"),
        ("random", "early_crop"),
        ("crop_gate", "one_shot"),
        ("crop_gate", "early_crop"),
        ("snip", "harmonic"),
    ],
)
def test_it_is_the_loop_written_by_hand(score: str, schedule: Any) -> None:
    """CroPit and EarlyCroP, step by step: every step scores the network that is left."""
    steps = 1 if schedule == "one_shot" else 3
    chosen = ChannelSettings(score=score, schedule=schedule, steps=steps, density=0.25, examples_per_class=3)
    model = at("1ep").model
    with unchanged(model):
        found = find_channels(model, DATA, chosen, pruning_seed=4)
    assert {name: flags.nonzero().flatten().tolist() for name, flags in found.items()} == by_hand(model, chosen, 4)
    assert found.groups == channel_groups(model, DATA.example)


@pytest.mark.parametrize("score", CHANNEL_SCORES)
def test_every_score_serves_and_follows_from_the_seed(score: str) -> None:
    chosen = ChannelSettings(density=0.4, score=Spec(score), schedule="linear", steps=2, examples_per_class=2)
    around = surroundings()
    found = [find_channels(NET, DATA, chosen, pruning_seed=seed) for seed in (0, 0)]
    assert surroundings() == around
    assert found[0] == found[1]
    if score == "random":
        assert found[0] != find_channels(NET, DATA, chosen, pruning_seed=1)
    assert keep_density(found[0]) <= 0.4


@settings(max_examples=12)
@given(
    st.sampled_from(get_args(Schedule)),
    st.sampled_from([0.3, 0.5, 0.77, 1.0]),
    st.sampled_from(["weights", "channels"]),
    st.sampled_from(["global", "layer"]),
    st.integers(0, 99),
)
def test_each_step_ends_at_or_below_its_density_and_nothing_comes_back(
    schedule: Any, density: float, counted: Any, scope: Any, seed: int
) -> None:
    steps = 1 if schedule == "one_shot" else 4
    chosen = ChannelSettings(
        density=density, schedule=schedule, steps=steps, counted=counted, scope=scope, score=Spec("random")
    )
    keep = Keep(GROUPS, {})
    for step in chosen.densities():
        small = remove_channels(NET, keep)
        after = find_channels(small, DATA, chosen, densities=[step], within=keep, pruning_seed=seed)
        if (scope, counted) != ("layer", "channels"):  # which rounds in each layer
            assert keep_density(after, counted) <= step + 0.5 / TOTALS[counted]
        assert all(bool((keep[name] >= flags).all()) for name, flags in after.items())
        keep = after
    score, once = Widths(), replace_score(chosen)
    found = find_channels(NET, DATA, once, score=score, pruning_seed=seed)
    assert all(one != other for one, other in pairwise(score.widths)), "a step that drops nothing is not scored"
    assert found.removed > 0 or density == 1


def replace_score(chosen: ChannelSettings) -> ChannelSettings:
    return ChannelSettings(**{**chosen.model_dump(), "score": "mine"})


def test_examples_are_drawn_once_and_from_the_training_data() -> None:
    score, chosen = Widths(), ChannelSettings(density=0.2, schedule="linear", steps=4, examples_per_class=3)
    find_channels(NET, replace(DATA, validation=images(9, 7), test=images(9, 8)), chosen, score=score)
    assert len(score.seen) == 4
    (drawn,) = DATA.train.balanced(3, generator_for("pruning", 0))
    for batches in score.seen:
        (batch,) = batches
        assert content(batch.inputs) == content(drawn.inputs)


def test_what_is_excluded_stays_and_is_not_scored() -> None:
    score = Widths()
    stem = next(group for group in GROUPS if any(m.name == "conv.weight" for m in group.members))
    chosen = ChannelSettings(density=0.6, schedule="linear", steps=2, exclude=("conv",), examples_per_class=3)
    found = find_channels(NET, DATA, chosen, score=score)
    assert found[stem.name].all()
    assert found.groups == GROUPS
    assert all(stem.name not in widths for widths in score.widths)
    assert keep_density(found) <= 0.6
    state = prune(begin(RESNET, DATA, TRAINING, init_seed=1), DATA, HALF, TRAINING)
    stem_before = state.model.conv.weight.detach().clone()  # type: ignore[operator,union-attr]
    after = prune_step(state, DATA, PruneChannelSettings(density=0.3, exclude=("conv",)), TRAINING, density=0.3)
    assert content(after.model.conv.weight) == content(stem_before)  # type: ignore[arg-type,union-attr]
    assert keep_density(left_by(after)) <= 0.3


def test_what_cannot_be_reached_is_told_before_it_is_scored() -> None:
    score = Widths()
    with pytest.raises(PruningError, match=r"density 0.001 cannot be reached by removing channels"):
        find_channels(NET, DATA, ChannelSettings(density=0.001), score=score)
    assert not score.seen


# ------------------------------------------------------------------------------------------ facts


def test_the_facts_are_those_that_one_counts() -> None:
    keep = find_channels(NET, DATA, ChannelSettings(density=0.4, score=Spec("random")))
    facts, small = channel_facts(keep, NET), remove_channels(NET, keep)

    def weights(model: nn.Module) -> dict[str, Tensor]:
        return {name: p for name, p in model.named_parameters() if p.ndim > 1}

    left, dense = weights(small), weights(NET)
    assert facts["density"] == sum(w.numel() for w in left.values()) / sum(w.numel() for w in dense.values())
    every = [sum(p.numel() for p in model.parameters()) for model in (small, NET)]
    assert facts["density_of_all_parameters"] == every[0] / every[1]
    assert facts["layer_densities"] == {name: left[name].numel() / w.numel() for name, w in dense.items()}
    assert facts["empty_layers"] == []
    assert facts["units"] == {name: [int(flags.sum()), len(flags)] for name, flags in keep.items()}
    convolutions = [name for name, w in dense.items() if w.ndim == 4]
    rows = [(left[name].shape[0], dense[name].shape[0]) for name in convolutions]
    assert facts["emptied"] == pytest.approx(1 - sum(a for a, _ in rows) / sum(b for _, b in rows))
    assert facts["node_density"] == keep_density(keep, "channels")
    masked = build_model(RESNET, DATA.input_shape, 3, seed=1)
    mask_channels(masked, keep)
    mask = Mask({name: w != 0 for name, w in weights(masked).items()})
    shared = mask_facts(mask, masked)
    assert set(shared) == set(facts) - {"units", "node_density"}
    assert {name: facts[name] for name in shared if "all" not in name} == {
        name: value for name, value in shared.items() if "all" not in name
    }
