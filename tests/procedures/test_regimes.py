"""P4's algorithms against the same written out, step by step, with the measures themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from secateurs.core import MeasureError, Moment, Selection, TrainingError, TrainState
from secateurs.how import Mask
from secateurs.measure import cka, error_barrier, evaluate, lmc, outputs
from secateurs.procedures import (
    Comparing,
    Connection,
    MaskSettings,
    Retraining,
    Similarity,
    connected,
    find_mask,
    highest_cka,
    model_selection,
    retrained,
    similarity,
    temperature_tuning,
    two_copies,
    unbroken,
    way_between,
)
from secateurs.train import TrainSettings, begin, pack, train
from toys import RESNET, content, same_bits, surroundings, toy_data

DATA = toy_data()
DENSE = TrainSettings(epochs=4, batch_size=16, lr=0.05)  # three steps an epoch
AGAIN = TrainSettings(epochs=2, batch_size=12, lr=0.1, optimizer="adam", augment="shift")  # four
PRUNING = MaskSettings(density=0.3, scope="layer")
HOW = Comparing(points=3, samples=30)
RETRAINING = Retraining(PRUNING, AGAIN, until="3it", order_seeds=(5, 6), compare=HOW)


def dense(epochs: int) -> TrainState:
    return train(begin(RESNET, DATA, DENSE, init_seed=1), DATA, DENSE, until=epochs)


NETWORKS = [dense(epochs) for epochs in (1, 2, 4)]


def lost() -> TrainState:
    """A dense network that diverged at its end."""
    state = dense(1)
    state.diverged = state.moment
    return state


def bits(state: TrainState) -> dict[str, Any]:
    tensors, meta = pack(state)
    return {name: content(value) for name, value in tensors.items()} | {"meta": meta}


def by_hand(state: TrainState) -> list[TrainState]:
    """Prune(theta, L), and its copies."""
    mask = find_mask(state.model, DATA, PRUNING)
    pruned = retrained(state, mask, AGAIN, DATA)
    return [train(pruned.fork(), DATA, AGAIN, until="3it", order_seed=seed) for seed in (5, 6)]


def lmc_by_hand(state: TrainState) -> float:
    one, other = by_hand(state)
    return lmc(one.model, one, other, DATA.task, DATA.train, points=3)


def cka_by_hand(state: TrainState, softmax: bool = True) -> float:
    examples = DATA.train.probe(30, 0)
    x, y = (outputs(copy.model, DATA.task, examples, softmax=softmax) for copy in by_hand(state))
    return cka(x, y)


def error_of(state: TrainState, part: str = "validation") -> float:
    return 1 - evaluate(state.model, DATA.task, getattr(DATA, part))["accuracy"]


# ------------------------------------------------------------------------------------------- copies


def test_copies_differ_in_their_noise_alone() -> None:
    state = dense(2)
    before, around = bits(state), surroundings()
    pruned = retrained(state, find_mask(state.model, DATA, PRUNING), AGAIN, DATA)
    start = bits(pruned)
    one, other = two_copies(pruned, DATA, AGAIN, until="3it", order_seeds=(5, 6))
    assert (bits(pruned), pruned.consumed, bits(state), surroundings()) == (start, False, before, around)
    for copy, expected in zip((one, other), by_hand(state), strict=True):
        assert same_bits(copy.model, expected.model)
        assert copy.moment == Moment(3, 4)
        assert Mask(copy.mask or {}) == Mask(pruned.mask or {})
    assert not same_bits(one.model, other.model)
    whole = two_copies(pruned, DATA, AGAIN)
    assert [str(copy.moment) for copy in whole] == ["2ep", "2ep"]
    with pytest.raises(TrainingError, match=r"order_seeds: with \(3, 3\) the copies are the same"):
        two_copies(pruned, DATA, AGAIN, order_seeds=(3, 3))
    with pytest.raises(TrainingError, match=r"\(1, 2, 3\) the copies are the same"):
        two_copies(pruned, DATA, AGAIN, order_seeds=(1, 2, 3))  # type: ignore[arg-type]
    for begun, until in ((pruned, 0), (one, "3it"), (whole[0], None)):
        with pytest.raises(TrainingError, match=r"until: the pruned network stands at .* are the same: take a later"):
            two_copies(begun, DATA, AGAIN, until=until)


def test_a_copy_that_diverges_is_a_result() -> None:
    hot = TrainSettings(epochs=1, batch_size=12, lr=1e30)
    pruned = retrained(NETWORKS[0], find_mask(NETWORKS[0].model, DATA, PRUNING), hot, DATA)
    one, other = two_copies(pruned, DATA, hot)
    assert not unbroken(one)
    assert not unbroken(other)
    found = connected(one, other, DATA)
    assert (found.barrier, found.lmc, found.cka, found.regime()) == (None, None, None, None)
    assert (found.diverged, found.cka_undefined) == ((0, 1), "a copy diverged")
    assert connected(NETWORKS[0], other, DATA).diverged == (1,)
    assert similarity(one, NETWORKS[0], DATA) == Similarity(None, "a copy diverged")
    assert connected(one, other, DATA, Comparing(resamples=5)).shares() is None


# --------------------------------------------------------------------------------------- comparing


@pytest.mark.parametrize("softmax", [True, False])
def test_copies_are_compared_by_the_measures(softmax: bool) -> None:
    one, other = by_hand(NETWORKS[1])
    how = Comparing(points=3, samples=30, softmax=softmax)
    before, around = (bits(one), bits(other)), surroundings()
    found = connected(one, other, DATA, how)
    assert ((bits(one), bits(other)), surroundings()) == (before, around)
    way = error_barrier(one.model, one, other, DATA.task, DATA.train, points=3, recalibrate_bn=True)
    assert found.barrier == way
    assert found.lmc == lmc_by_hand(NETWORKS[1]) == pytest.approx(connected(other, one, DATA, how).lmc, abs=1e-9)
    assert found.cka == cka_by_hand(NETWORKS[1], softmax)
    assert similarity(one, other, DATA, how) == Similarity(found.cka)
    assert found.passes == {"recalibration": 3, "evaluation": 3, "outputs": 2}
    assert (found.resampled_lmc, found.resampled_cka, found.shares()) == ((), (), None)
    assert hash(found) == hash(connected(one, other, DATA, how))
    assert found.regime(threshold=2) == "I"
    assert [found.regime(-1, similar_from) for similar_from in (0, 1.1)] == ["II-B", "II-A"]


def test_the_passes_told_are_the_passes_made() -> None:
    one, other = by_hand(NETWORKS[1])
    calls: list[bool] = []
    for copy in (one, other):
        norm = next(m for m in copy.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
        copy.model.register_forward_pre_hook(lambda *_, norm=norm: calls.append(norm.training))
    found = connected(one, other, DATA)
    assert (calls.count(True), calls.count(False)) == (11, 11 + 2)
    assert found.passes == {"recalibration": 11, "evaluation": 11, "outputs": 2}


def shares_of(found: Connection, **lines: float) -> dict[Any, float]:
    shares = found.shares(**lines)
    assert shares is not None
    return shares


def test_resamples_tell_how_sure_it_is() -> None:
    one, other = by_hand(NETWORKS[1])
    found = connected(one, other, DATA, Comparing(points=3, samples=30, resamples=40))
    plain = connected(one, other, DATA, HOW)
    assert (found.barrier, found.cka) == (plain.barrier, plain.cka)
    assert len(found.resampled_lmc) == len(found.resampled_cka) == 40
    assert found == connected(one, other, DATA, Comparing(points=3, samples=30, resamples=40))
    assert found != connected(one, other, DATA, Comparing(points=3, samples=30, resamples=40, seed=1))
    middle = sorted(found.resampled_lmc)[20]
    poorly = sum(each < middle - 1e-9 for each in found.resampled_lmc) / 40
    assert shares_of(found, threshold=middle)["I"] == poorly
    assert sum(shares_of(found).values()) == pytest.approx(1)
    assert shares_of(found, threshold=-2, similar_from=0)["II-B"] == 1
    with pytest.raises(MeasureError, match="resamples: 0, for none, or more, got -3"):
        Comparing(resamples=-3)


def test_what_cka_is_undefined_for_is_said_in_words() -> None:
    one, other = by_hand(NETWORKS[1])
    few = connected(one, other, DATA, Comparing(points=2, samples=2, resamples=3))
    assert few.cka is None
    assert "3 outputs for only 2 examples" in (few.cka_undefined or "")
    assert few.resampled_cka == (None, None, None)
    assert few.lmc is not None
    for parameter in other.model.parameters():
        parameter.data.zero_()
    constant = connected(
        TrainState(one.model, one.optimizer, one.moment, one.schedule_start, 0.1),
        TrainState(other.model, other.optimizer, other.moment, other.schedule_start, 0.1),
        DATA,
        HOW,
    )
    assert "network 1 has the same output for every example" in (constant.cka_undefined or "")
    assert constant.regime(threshold=-2) is None


def test_other_masks_are_refused() -> None:
    (one, _), (other, _) = by_hand(NETWORKS[0]), by_hand(NETWORKS[2])
    with pytest.raises(MeasureError, match="masked differently"):
        connected(one, other, DATA)


# -------------------------------------------------------------------------------------- algorithms


@pytest.mark.parametrize(("offset", "expected"), [(1e-6, 1), (-1e-6, 4)])
def test_the_temperature_is_raised_where_the_pruned_network_is_poorly_connected(offset: float, expected: int) -> None:
    asked: list[int] = []

    def at(epochs: int) -> TrainState:
        asked.append(epochs)
        return NETWORKS[2]

    measured = lmc_by_hand(NETWORKS[2])
    before = bits(NETWORKS[2])
    found = temperature_tuning(at, DATA, RETRAINING, initial=4, raised=1, threshold=measured + offset)
    assert (found.temperature, found.poorly_connected) == (expected, offset > 0)
    assert found.connection is not None
    assert found.connection.lmc == measured
    assert (asked, bits(NETWORKS[2]), NETWORKS[2].consumed) == ([4], before, False)


def test_where_nothing_is_known_the_temperature_stays() -> None:
    found = temperature_tuning(lambda _: lost(), DATA, RETRAINING, initial=4, raised=1)
    assert (found.temperature, found.poorly_connected, found.connection) == (4, None, None)
    hot = Retraining(PRUNING, TrainSettings(epochs=1, batch_size=12, lr=1e30))
    found = temperature_tuning(lambda _: NETWORKS[0], DATA, hot, initial=4, raised=1)
    assert (found.temperature, found.poorly_connected) == (4, None)
    assert found.connection is not None
    assert found.connection.diverged == (0, 1)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_well_connected_first_choice_stays(part: Any) -> None:
    found = model_selection(NETWORKS, DATA, RETRAINING, part=part, threshold=-1)
    errors = [error_of(state, part) for state in NETWORKS]
    assert found.errors == tuple(errors)
    first = errors.index(min(errors))
    assert found.selection == Selection(first, first, False, (first,))
    assert found.chosen == first
    assert found.connection.lmc == lmc_by_hand(NETWORKS[first])
    assert found.compared == {}


def test_otherwise_the_best_after_short_retraining_is_taken() -> None:
    """Algorithm 2: the error of one copy of each, on data that may be chosen on."""
    before = [bits(state) for state in NETWORKS]
    found = model_selection([*NETWORKS, lost()], DATA, RETRAINING, threshold=1)
    short = [error_of(by_hand(state)[0]) for state in NETWORKS]
    assert found.compared == dict(enumerate(short))
    assert found.chosen == short.index(min(short))
    assert found.selection.poorly_connected
    assert found.errors[3] is None
    assert sorted(found.selection.looked_at) == [0, 1, 2]
    assert [bits(state) for state in NETWORKS] == before


def test_or_the_one_whose_copies_agree_most() -> None:
    """Algorithm 2.1."""
    found = model_selection(NETWORKS, DATA, RETRAINING, by="cka", threshold=1)
    alike = [cka_by_hand(state) for state in NETWORKS]
    assert found.compared == dict(enumerate(alike))
    assert found.chosen == alike.index(max(alike))
    tuned = highest_cka([lost(), *NETWORKS], DATA, RETRAINING)
    assert tuned.ckas == (None, *alike)
    assert tuned.chosen == 1 + found.chosen
    nothing = highest_cka([lost()], DATA, RETRAINING)
    assert (nothing.chosen, nothing.ckas) == (None, (None,))


@pytest.mark.parametrize(("by", "trained"), [("error", 2 + 2), ("cka", 2 + 4)])
def test_no_more_is_trained_than_the_algorithm_asks_for(by: Any, trained: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies that LMC took are looked at again: 2 and n - 1, or 2 n in all."""
    calls: list[int] = []

    def counted(*args: Any, **options: Any) -> TrainState:
        calls.append(1)
        return train(*args, **options)

    monkeypatch.setattr("secateurs.procedures.copies.train", counted)
    model_selection(NETWORKS, DATA, RETRAINING, by=by, threshold=1)
    assert len(calls) == trained


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(TrainingError, match="nothing is chosen on test data: take 'validation' or 'train'"):
        model_selection(NETWORKS, DATA, RETRAINING, part="test")  # type: ignore[arg-type]
    with pytest.raises(MeasureError, match="select: there is no dense network to choose"):
        model_selection([lost(), lost()], DATA, RETRAINING)
    with pytest.raises(TrainingError, match=r"by: there is no 'ckas'; choices: cka, error; did you mean 'cka'\?"):
        model_selection(NETWORKS, DATA, RETRAINING, by="ckas")  # type: ignore[arg-type]

    class Unjudged(type(DATA.task)):  # type: ignore[misc]
        def metrics(self, output: Any, batch: Any) -> dict[str, Any]:
            return {"loss": super().metrics(output, batch)["loss"]}

    with pytest.raises(MeasureError, match=r"Unjudged.metrics counts no 'correct' answers"):
        model_selection(NETWORKS, replace(DATA, task=Unjudged(3)), RETRAINING)


def test_a_consumed_network_is_refused_wherever_it_stands() -> None:
    gone = dense(1)
    gone.take()
    for ask in (
        lambda: model_selection([*NETWORKS, gone], DATA, RETRAINING, threshold=-1),
        lambda: highest_cka([lost(), gone], DATA, RETRAINING),
        lambda: temperature_tuning(lambda _: gone, DATA, RETRAINING, initial=4, raised=1),
        lambda: connected(NETWORKS[0], gone, DATA),
        lambda: way_between(NETWORKS[0], gone, DATA),
        lambda: similarity(gone, NETWORKS[0], DATA),
        lambda: two_copies(gone, DATA, AGAIN),
    ):
        with pytest.raises(TrainingError, match="already consumed"):
            ask()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("by", ["error", "cka"])
def test_where_nothing_is_known_of_any_it_says_that_it_fell_back(by: Any) -> None:
    hot = Retraining(PRUNING, TrainSettings(epochs=1, batch_size=12, lr=1e30), compare=Comparing(points=2, samples=30))
    found = model_selection([*NETWORKS[:2], lost()], DATA, hot, by=by)
    assert found.selection.fell_back
    assert found.chosen == found.selection.first
    assert (found.compared, found.unknown) == ({0: None, 1: None}, dict.fromkeys((0, 1), "a copy diverged"))
    few = replace(RETRAINING, compare=Comparing(points=2, samples=2))
    if by == "cka":
        told = model_selection(NETWORKS[:2], DATA, few, by=by, threshold=1)
        assert told.selection.fell_back
        assert all("3 outputs for only 2 examples" in why for why in told.unknown.values())
