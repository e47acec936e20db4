"""Finding a mask: exactly the loop that one would write by hand, at every step, in every scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, Scores, Spec, Task, generator_for, prunable
from secateurs.how import Mask, keep_top, survivors
from secateurs.procedures import MaskSettings, find_mask
from secateurs.procedures.settings import Schedule
from secateurs.what import SCORES, score
from secateurs.zoo import build_model
from toys import RESNET, content, generator, images, net, surroundings, toy_data, unchanged

DATA = toy_data()
SEVERAL = [name for name in get_args(Schedule) if name != "one_shot"]
UNSEEDED = {"magnitude", "synflow"}  # scores that neither draw nor look at data


@dataclass
class Crowded:
    """|theta| times the sum of |theta| over what lives in the same row: what goes changes what the rest is worth.

    Remembers the masks and examples it was given.
    """

    integer: bool = False
    masks: list[Mask | None] = field(default_factory=list)
    seen: list[list[Batch]] = field(default_factory=list)

    def __call__(
        self,
        model: nn.Module,
        task: Task | None = None,
        batches: Iterable[Batch] = (),
        *,
        names: Sequence[str] | None = None,
        mask: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> Scores:
        self.masks.append(None if mask is None else Mask(mask))
        self.seen.append(list(batches))
        scores = {}
        for name in names or prunable(model):
            theta = model.get_parameter(name).detach().double().abs()
            kept = theta if mask is None else theta * mask[name]
            scores[name] = kept * kept.flatten(1).sum(1).reshape(-1, *(1,) * (kept.ndim - 1))
        return {n: (100 * s).long() for n, s in scores.items()} if self.integer else scores


def by_hand(model: nn.Module, criterion: Any, settings: MaskSettings) -> dict[str, list[bool]]:
    """The loop with nothing left out and everything sorted: best score first, then first position."""
    sizes = {name: p.numel() for name, p in prunable(model, settings.exclude).items()}
    kept = {name: [True] * size for name, size in sizes.items()}
    for density in settings.densities():
        flags = {n: torch.tensor(kept[n]).reshape(model.get_parameter(n).shape) for n in sizes}
        scores = {n: s.flatten().tolist() for n, s in criterion(model, names=list(sizes), mask=flags).items()}
        for group in [[n] for n in sizes] if settings.scope == "layer" else [list(sizes)]:
            count = int(Fraction(repr(density)) * sum(sizes[n] for n in group) + Fraction(1, 2))
            sign = 1 if settings.invert else -1
            living = [(sign * scores[n][i], k, i) for k, n in enumerate(group) for i in range(sizes[n]) if kept[n][i]]
            best = {(group[k], i) for _, k, i in sorted(living)[:count]}
            kept |= {n: [(n, i) in best for i in range(sizes[n])] for n in group}
    return kept


def flat(mask: Mask) -> dict[str, list[bool]]:
    return {name: kept.flatten().tolist() for name, kept in mask.items()}


def two_layers(inputs: int, hidden: int, outputs: int, seed: int) -> nn.Module:
    """Weights on a coarse grid, so that scores tie and some are 0."""
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Linear(hidden, outputs))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randint(-4, 5, p.shape, generator=generator(seed)))
    return model


SMALL = st.builds(two_layers, st.integers(1, 7), st.integers(1, 6), st.integers(1, 5), st.integers(0, 999))
DENSITY = st.floats(0.01, 1) | st.sampled_from([0.1, 0.25, 0.5, 1.0])


@given(
    SMALL, DENSITY, st.sampled_from(SEVERAL), st.integers(1, 12), st.sampled_from(["global", "layer"]), st.booleans()
)
def test_it_is_the_loop_written_by_hand(
    model: nn.Module, density: float, schedule: Any, steps: int, scope: Any, invert: bool
) -> None:
    settings = MaskSettings(density=density, schedule=schedule, steps=steps, scope=scope, invert=invert)
    criterion = Crowded(integer=steps % 2 == 0)
    assert flat(find_mask(model, DATA, settings, score=criterion)) == by_hand(model, criterion, settings)


@given(SMALL, DENSITY, st.sampled_from(SEVERAL), st.integers(1, 40))
def test_every_step_keeps_exactly_so_many_of_those_before(
    model: nn.Module, density: float, schedule: Any, steps: int
) -> None:
    settings, criterion = MaskSettings(density=density, schedule=schedule, steps=steps), Crowded()
    found = find_mask(model, DATA, settings, score=criterion)
    masks = [mask for mask in criterion.masks if mask is not None] + [found]
    counts = [survivors(d, found.total) for d in settings.densities()]
    assert [mask.kept for mask in masks] == list(dict.fromkeys(counts))  # what would change nothing is left out
    assert found.kept == survivors(density, found.total)
    for before, after in pairwise(masks):
        assert before & after == after


def test_the_examples_are_drawn_once() -> None:
    criterion = Crowded()
    settings = MaskSettings(schedule="linear", steps=4, examples_per_class=2)
    find_mask(net(), DATA, settings, pruning_seed=3, score=criterion)
    (expected,) = DATA.train.balanced(2, generator_for("pruning", 3))
    assert len(criterion.seen) == 4
    for (batch,) in criterion.seen:
        assert content(batch.inputs) == content(expected.inputs)
        assert content(batch.targets) == content(expected.targets)


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
@pytest.mark.parametrize("name", ["random", "magnitude", "fisher", "fisher_empirical"])
def test_one_shot_draws_as_it_always_did(name: str, scope: Any) -> None:
    """Results of P0 keep their bits: examples first, if the score asks for any, then the score, from one generator."""
    model = net()
    for seed in (0, 7):
        source = generator_for("pruning", seed)
        examples = DATA.train.balanced(3, source)
        scores = score(name, model, DATA.task, examples, names=list(prunable(model)), generator=source)
        settings = MaskSettings(density=0.3, scope=scope, score=Spec(name), examples_per_class=3)
        assert find_mask(model, DATA, settings, pruning_seed=seed) == keep_top(scores, 0.3, scope=scope)


def test_the_bits_of_a_random_mask() -> None:
    digest = find_mask(net(), DATA, MaskSettings(score=Spec("random"), density=0.3), pruning_seed=5).digest
    assert digest == "6575d05865bfa67b79966877ccafb83765a3acdefd0bb4c666a79f90476ff485"


@pytest.mark.parametrize("schedule", ["one_shot", "exponential"])
@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_iterated_and_follows_from_the_seed(name: str, schedule: Any) -> None:
    settings = MaskSettings(density=0.2, score=Spec(name), schedule=schedule, steps=1 if schedule == "one_shot" else 4)
    model, around = net(), surroundings()
    with unchanged(model):
        masks = [find_mask(model, DATA, settings, pruning_seed=seed) for seed in (0, 0, 1)]
    assert surroundings() == around
    assert all(mask.kept == survivors(0.2, mask.total) for mask in masks)
    assert masks[0] == masks[1]
    assert (masks[0] == masks[2]) == (name in UNSEEDED)


def test_iterating_magnitude_changes_nothing() -> None:
    once = find_mask(net(), DATA, MaskSettings(density=0.2))
    for schedule in SEVERAL:
        assert find_mask(net(), DATA, MaskSettings(density=0.2, schedule=schedule, steps=7)) == once


@given(SMALL, st.integers(1, 9))
def test_inversion_keeps_what_would_have_gone(model: nn.Module, tenths: int) -> None:
    with torch.no_grad():  # no two weights tie
        for k, p in enumerate(prunable(model).values()):
            p.copy_(1 + k / 2 + torch.randperm(p.numel(), generator=generator(k)).reshape(p.shape))
    total = sum(p.numel() for p in prunable(model).values())
    density = Fraction(max(1, total * tenths // 10), total)
    if density == 1:
        return
    top = find_mask(model, DATA, MaskSettings(density=float(density)))
    rest = find_mask(model, DATA, MaskSettings(density=float(1 - density), invert=True))
    assert top.kept + rest.kept == total
    assert top.distance(rest) == 1
    # Iterated, it prunes the top at every step: what was pruned scores 0 and must not come back as the lowest.
    slow = find_mask(model, DATA, MaskSettings(density=float(1 - density), invert=True, schedule="linear", steps=5))
    assert slow == rest


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float32])
def test_scores_of_any_type_are_inverted(dtype: torch.dtype) -> None:
    values = torch.tensor([[0, 200, 3, 1]] if dtype != torch.bool else [[0, 1, 1, 1]]).to(dtype)
    if dtype == torch.int64:
        values[0, 0] = torch.iinfo(dtype).min

    def fixed(model: nn.Module, *args: Any, **options: Any) -> Scores:
        return {"weight": values}

    found = find_mask(nn.Linear(4, 1), DATA, MaskSettings(density=0.25, invert=True), score=fixed)
    assert found["weight"].tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("schedule", SEVERAL)
def test_erk_and_layer_densities_hold_at_every_step(schedule: Any) -> None:
    for scope in ("layer", "erk"):
        criterion = Crowded()
        settings = MaskSettings(density=0.1, scope=scope, schedule=schedule, steps=5)
        found = find_mask(net(), DATA, settings, score=criterion)
        expected = keep_top(Crowded()(net()), 0.1, scope=scope)
        assert found.layer_densities() == expected.layer_densities()


def test_only_training_examples_are_looked_at() -> None:
    changed = {part: images(48, seed) for part, seed in (("validation", 77), ("test", 78))}
    settings = MaskSettings(score=Spec("fisher"), schedule="linear", steps=3, examples_per_class=4)
    other = type(DATA)(DATA.name, DATA.title, DATA.task, DATA.num_classes, DATA.train, **changed)
    assert find_mask(net(), other, settings) == find_mask(net(), DATA, settings)


def test_excluded_layers_are_not_in_the_mask() -> None:
    found = find_mask(net(), DATA, MaskSettings(exclude=("5",), schedule="linear", steps=3))
    assert list(found) == ["0.weight"]
    with pytest.raises(PruningError, match="exclude: the model has no module or parameter 'nothing'"):
        find_mask(net(), DATA, MaskSettings(exclude=("nothing",)))


# --------------------------------------------------------------- the methods of P2 chapter 5 by name


def with_examples(name: str, count: int, **options: Any) -> Any:
    """A score of the table with the examples that ``find_mask`` draws for seed 0."""
    examples = list(DATA.train.balanced(count, generator_for("pruning", 0)))
    return lambda model, **given: SCORES[name](model, DATA.task, examples, **given, **options)  # type: ignore[call-arg]


def test_synflow_takes_a_hundred_exponential_steps() -> None:
    calls, real = [], SCORES["synflow"]

    def counted(*args: Any, **options: Any) -> Scores:
        calls.append(options["mask"])
        return real(*args, **options)

    model = build_model(RESNET, DATA.input_shape, DATA.num_classes, 0)
    settings = MaskSettings(score="synflow", density=0.1)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCORES, "synflow", counted)
        found = find_mask(model, DATA, settings)
    kept = [found.total if mask is None else mask.kept for mask in calls] + [found.kept]
    assert kept == [found.total] + [survivors(0.1 ** (k / 100), found.total) for k in range(1, 101)]


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("name", "options"), [("synflow", {}), ("snip", {"bn": "batch"}), ("grasp", {})])
def test_scores_by_name_are_iterated_as_by_hand(name: str, options: dict[str, Any], invert: bool) -> None:
    settings = MaskSettings(
        score=Spec(name, options), schedule="exponential", steps=6, density=0.2, examples_per_class=5, invert=invert
    )
    assert flat(find_mask(net(), DATA, settings)) == by_hand(net(), with_examples(name, 5, **options), settings)


def test_synflow_leaves_no_layer_empty_where_one_step_does() -> None:
    """Iterated, it keeps the network connected down to the last paths (P2 section 5.5.1)."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        layers = [nn.Linear(*ends, bias=False) for ends in ((36, 30), (30, 4), (4, 30), (30, 3))]
    model = nn.Sequential(nn.Flatten(), *(part for layer in layers for part in (layer, nn.ReLU())))
    settings: dict[str, Any] = {"score": "synflow", "density": 0.008}
    assert find_mask(model, DATA, MaskSettings(**settings)).empty_layers() == ()
    assert find_mask(model, DATA, MaskSettings(**settings, schedule="one_shot")).empty_layers() != ()


def test_snip_revives_as_force_does() -> None:
    settings = MaskSettings(score=Spec("snip"), schedule="exponential", steps=8, density=0.2, revive=True)
    criterion, mask, returned = with_examples("snip", 10, revive=True), None, 0
    for density in settings.densities():
        after = keep_top(criterion(net(), names=["0.weight", "5.weight"], mask=mask), density)
        returned += 0 if mask is None else after.kept - (mask & after).kept
        mask = after
    assert find_mask(net(), DATA, settings) == mask
    assert returned > 0
    assert find_mask(net(), DATA, settings.model_copy(update={"revive": False})) != mask


# --------------------------------------------------------------------------------------- revival


def twins(model: nn.Module, *args: Any, mask: Any = None, revive: bool = False, **options: Any) -> Scores:
    """Weights 0 and 1 do the same: while both are there the second is worth little, and then the first even less."""
    alive = torch.ones(1, 4, dtype=torch.bool) if mask is None else mask["weight"]
    worth = torch.tensor([[4.0, 0.5, 2.0, 1.0]] if bool(alive.all()) else [[0.1, 3.0, 2.0, 1.0]])
    return {"weight": worth if revive else worth * alive}


def test_revived_weights_come_back() -> None:
    options: dict[str, Any] = {"density": 0.5, "schedule": "linear", "steps": 2}
    gone = find_mask(nn.Linear(4, 1), DATA, MaskSettings(**options), score=twins)
    assert gone["weight"].tolist() == [[False, False, True, True]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCORES, "twins", twins)
        settings = MaskSettings(**options, score=Spec("twins"), revive=True)
        back = find_mask(nn.Linear(4, 1), DATA, settings)
        assert find_mask(nn.Linear(4, 1), DATA, settings, score=twins) == back
    assert back["weight"].tolist() == [[False, True, True, False]]


def test_with_revival_no_step_is_left_out() -> None:
    """At one density the mask may still move (FORCE goes on after the last count is reached)."""
    calls = []

    def counted(*args: Any, **options: Any) -> Scores:
        calls.append(options["mask"])
        return twins(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCORES, "twins", twins)
        settings = MaskSettings(density=0.5, schedule="exponential", steps=9, score=Spec("twins"), revive=True)

    def with_revive(*args: Any, revive: bool = False, **options: Any) -> Scores:
        return counted(*args, revive=revive, **options)

    find_mask(nn.Linear(4, 1), DATA, settings, score=with_revive)
    assert len(calls) == 9


def test_a_function_that_cannot_revive_is_refused() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCORES, "twins", twins)
        settings = MaskSettings(schedule="linear", score=Spec("twins"), revive=True)
    with pytest.raises(PruningError, match=re.escape("prune.revive: the score function has no argument revive")):
        find_mask(nn.Linear(4, 1), DATA, settings, score=Crowded())
