"""A pruner in loops as people write them: at the right moment, the right weights, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from loops import DATA, LOOPS, STEPS, TASK, Run, begin, groups, network, plain_epoch, train
from torch import Tensor, nn

from secateurs.core import Moment, Spec, generator_for, prunable
from secateurs.how import apply, enforce, keep_top
from secateurs.pruner import EarlyPruner, Unstructured, learning_rate_after
from secateurs.what import fisher, magnitude, random
from secateurs.when import (
    At,
    Below,
    FisherTrace,
    GradientNorms,
    KLUniform,
    Peak,
    TrainLoss,
    WeightChange,
    default_trigger,
    explain,
    fine_tuning_trigger,
    no_later_than,
    replay,
)
from toys import content, same_bits, unchanged


def optimizer_bits(run: Run) -> dict[Any, bytes]:
    states = run.optimizer.state_dict()["state"]
    return {(i, k): content(v) for i, entries in states.items() for k, v in entries.items() if isinstance(v, Tensor)}


def assert_same(a: Run, b: Run) -> None:
    assert same_bits(a.net, b.net)
    assert optimizer_bits(a) == optimizer_bits(b)


def without_seconds(log: Any) -> list[Any]:
    return [(moment, {k: v for k, v in row.items() if not k.startswith("seconds/")}) for moment, row in log]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's, where a part is compiled
@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_is_pruned_once_at_its_moment_and_stays_so(name: str) -> None:
    epoch, options = LOOPS[name]
    run = train(begin(**options, signals=[KLUniform(), FisherTrace(samples=16)]), range(2), epoch)
    pruner, clean = run.pruner, prunable(network())
    (event,) = run.events
    assert (event.moment, event.fired, event.acted) == (Moment(2 * STEPS, STEPS), Moment(2 * STEPS, STEPS), True)
    assert pruner.pruned
    assert pruner.model is run.model
    assert event.mask is pruner.mask
    assert pruner.mask.kept == round(0.3 * pruner.mask.total)
    assert {n: kept.shape for n, kept in pruner.mask.items()} == {n: p.shape for n, p in clean.items()}
    weights = [p for p in run.net.parameters() if p.ndim > 1]
    at_once = [p.detach().ne(0) for p in weights]
    train(run, range(2, 4), epoch)
    assert len(run.events) == 1
    for p, before, kept in zip(weights, at_once, pruner.mask.values(), strict=True):
        assert torch.equal(before, kept)
        assert torch.equal(p.ne(0), kept)
        for value in run.optimizer.state[p].values():
            assert value.shape != p.shape or not value[~kept].count_nonzero()
        assert not p.grad[~kept].count_nonzero()
    assert replay(pruner._progress.trigger, pruner.log) == event.moment
    assert {"kl_uniform", "fisher_trace", "fisher_trace.standard_error", "seconds/kl_uniform"} <= {*pruner.log[0][1]}
    if run.ema is not None:
        averaged = dict(run.ema.module.named_parameters())
        assert all(torch.equal(averaged[n].ne(0), kept) for n, kept in pruner.mask.items())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's, where a part is compiled
@pytest.mark.parametrize("name", LOOPS)
def test_a_pruner_that_only_observes_changes_not_one_bit(name: str) -> None:
    epoch, options = LOOPS[name]
    followed = [KLUniform(), FisherTrace(samples=16), TrainLoss(), GradientNorms(layerwise=True), WeightChange()]
    watched = train(begin(**options, act=False, what="fisher", signals=followed), range(4), epoch)
    alone = train(begin(**options, pruned=False), range(4), epoch)
    assert_same(watched, alone)
    assert watched.told == alone.told
    (event,) = watched.events
    assert not event.acted
    assert "would have been pruned at epoch 2" in str(event)
    assert watched.pruner.report() == str(event)
    assert not watched.pruner.pruned
    assert watched.pruner.mask is None
    assert [moment.epoch for moment, _ in watched.pruner.log] == [1, 2, 3, 4]
    assert all(signal.name in row for signal in followed for _, row in watched.pruner.log)


@pytest.mark.parametrize("optimizer", [None, groups])
@pytest.mark.parametrize("what", ["magnitude", "random", "fisher"])
def test_equal_to_a_loop_with_the_same_lines_written_by_hand(what: str, optimizer: Any) -> None:
    options = {} if optimizer is None else {"optimizer": optimizer}
    run = train(begin(**options, what=what, data=DATA.train, seed=3), range(5))
    by_hand = train(begin(**options, pruned=False), range(2))
    if what == "magnitude":
        scores = magnitude(by_hand.net)
    else:
        examples = begin(what="fisher", data=DATA.train, seed=3).pruner._measuring.to_score(10)
        assert examples[0].targets.bincount().tolist() == [10, 10, 10]
        score = fisher if what == "fisher" else random
        scores = score(by_hand.net, TASK, examples, generator=generator_for("pruning", 3))
    mask = keep_top(scores, 0.3)
    assert run.pruner.mask == mask
    with enforce(by_hand.net, by_hand.optimizer, mask):
        train(by_hand, range(2, 5))
    assert_same(run, by_hand)


def test_measuring_and_pruning_leave_no_trace_but_the_mask() -> None:
    run = begin(what="fisher", signals=[FisherTrace(samples=16)], when=At("1ep"), act=False)
    plain_epoch(run, 0)
    with unchanged(run.net):
        assert not run.pruner.epoch_end().acted
    run = begin(what=Spec("snip", {"bn": "batch"}), when=At("1ep"), guard=lambda copy: bool(torch.rand(()) < 0))
    plain_epoch(run, 0)
    with unchanged(run.net):
        assert run.pruner.epoch_end() is None


TRIGGERS = [
    Peak("kl_uniform", patience=1, min_drop=0.0),
    Below("loss", 0.9),
    Below("weight_change", 0.5, warm_up=0),
    no_later_than(Below("fisher_trace", 0.0), "3ep"),
    At(f"{2 * STEPS + 1}it"),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_what_the_trigger_decides_live_is_what_replay_says(trigger: Any) -> None:
    run = train(begin(when=trigger, signals=[WeightChange(), TrainLoss()]), range(8))
    dense = train(begin(when=trigger, act=False), range(8))
    assert replay(trigger, run.pruner.log) == run.events[0].fired == replay(trigger, dense.pruner.log)
    assert 2 <= run.events[0].moment.epoch <= 8
    assert len(run.pruner.log) == run.events[0].moment.epoch


def test_signals_of_ones_own_settings_take_the_place_of_the_defaults() -> None:
    chosen = FisherTrace(samples=3)
    run = begin(when=Peak("fisher_trace"), signals=[chosen])
    assert run.pruner._signals == (chosen,)
    assert [s.name for s in begin(when=Peak("gradient_norm")).pruner._signals] == ["gradient_norm"]


def test_scores_see_a_balanced_sample_of_what_the_loop_saw() -> None:
    seen = []

    def scores(model: nn.Module, task: Any, examples: Any, **given: Any) -> Any:
        seen.extend(examples)
        return magnitude(model, names=given["names"], mask=given["mask"])

    train(begin(what=scores, examples_per_class=5, examples=40), range(3))
    (batch,) = seen
    assert batch.targets.bincount().tolist() == [5, 5, 5]
    known = {content(row) for row in DATA.train.batch(torch.arange(len(DATA.train))).inputs}
    assert {content(row) for row in batch.inputs} <= known
    assert len({content(row) for row in batch.inputs}) == 15


def test_several_steps_score_what_is_left_anew() -> None:
    asked = []

    def scores(model: nn.Module, task: Any, examples: Any, **given: Any) -> Any:
        asked.append(None if given["mask"] is None else sum(int(kept.sum()) for kept in given["mask"].values()))
        return magnitude(model, names=given["names"], mask=given["mask"])

    run = train(begin(what=scores, how=Unstructured(0.25, steps=2)), range(3))
    assert asked == [None, round(run.pruner.mask.total / 2)]
    assert run.pruner.mask.kept == round(run.pruner.mask.total / 4)


def test_excluded_and_frozen_weights_stay_dense() -> None:
    run = begin(how=Unstructured(0.3, exclude=("5",)))
    train(run, range(3))
    assert [*run.pruner.mask] == ["0.weight"]
    run = begin()
    run.net[0].weight.requires_grad_(False)
    train(run, range(3))
    assert [*run.pruner.mask] == ["5.weight"]
    assert run.net[0].weight.count_nonzero() == run.net[0].weight.numel()


def test_a_guard_sees_a_pruned_copy_and_can_put_it_off() -> None:
    asked = []

    def guard(pruned: nn.Module) -> bool:
        asked.append((pruned is not run.net, sum(int(p.count_nonzero()) for p in prunable(pruned).values())))
        return len(asked) == 3

    run = begin(guard=guard)
    train(run, range(3))
    assert not run.pruner.pruned
    assert "fired at epoch 2, the guard has said no since" in run.pruner.report()
    train(run, range(3, 6))
    assert asked == [(True, run.pruner.mask.kept)] * 3
    assert (run.events[0].fired.epoch, run.events[0].moment.epoch) == (2, 4)
    assert replay(At("2ep"), run.pruner.log) == run.events[0].fired
    assert "put off by the guard since epoch 2" in run.pruner.report()


def test_what_was_there_before_is_kept_if_asked() -> None:
    run = train(begin(keep_before=True), range(5))
    dense = train(begin(pruned=False), range(2))
    fresh = begin(pruned=False)
    fresh.net.load_state_dict(run.pruner.before["model"])
    fresh.optimizer.load_state_dict(run.pruner.before["optimizer"])
    assert_same(fresh, dense)
    assert train(begin(), range(3)).pruner.before is None


def test_savings_say_what_a_mask_is_worth() -> None:
    run = train(begin(), range(2))
    found, total = run.pruner.savings(), run.pruner.mask.total
    every = sum(p.numel() for p in run.net.parameters())
    assert (found.weights, found.kept, found.density) == (total, run.pruner.mask.kept, run.pruner.mask.density)
    assert found.density_of_all_parameters == (every - total + found.kept) / every
    assert found.bytes_dense == 4 * every
    assert found.bytes_csr == 4 * (every - total) + 8 * found.kept + 4 * (4 + 1 + 3 + 1)
    assert "saves no time" in str(found)


def test_the_mask_fits_a_copy() -> None:
    run, other = train(begin(), range(2)), network(5)
    expected = copy.deepcopy(other)
    run.pruner.apply(nn.DataParallel(other))
    apply(expected, run.pruner.mask)
    assert same_bits(other, expected)


def test_without_a_trigger_the_default_one_decides() -> None:
    run = train(begin(when=None, epochs=8), range(8))
    trigger = default_trigger(epochs=8)
    assert run.pruner._progress.trigger == trigger
    assert run.events[0].fired == replay(trigger, run.pruner.log)
    assert run.events[0].moment.epoch <= 4
    assert train(begin(when=None, epochs=8), range(8)).pruner.mask == run.pruner.mask


def test_the_event_says_why() -> None:
    for act in (True, False):
        run = train(begin(when=no_later_than(Below("loss", 0.0), "2ep"), act=act), range(3))
        (event,) = run.events
        loss = run.pruner.log[1][1]["loss"]
        assert event.why == f"no later than epoch 2: loss, {loss:.3g}, was not below 0"
        assert event.why == explain(run.pruner._progress.trigger, run.pruner.log)
        assert str(event).endswith(f"; why: {event.why}")
        assert run.pruner.report() == str(event)


def test_weights_that_were_trained_before_are_pruned_after_an_epoch() -> None:
    run = train(begin(when=fine_tuning_trigger(), what="taylor"), range(2))
    assert run.events[0].moment.epoch == 1


def test_a_pruner_that_waits_says_for_what() -> None:
    run = begin(when=Peak("kl_uniform", patience=50))
    assert "no epoch has ended after 0 steps, and nothing was measured yet: call epoch_end()" in run.pruner.report()
    train(run, range(2))
    report = run.pruner.report()
    assert "not pruned after 2 epochs: the trigger (kl_uniform 2 % below its maximum, unbeaten for 50" in report
    assert "has not fired by epoch 2: kl_uniform " in report
    assert "no_later_than" in report


def test_a_task_of_ones_own_may_have_batches_of_its_own() -> None:
    class Own:
        def output(self, model: nn.Module, batch: Any) -> Tensor:
            return model(batch["x"])

        def loss(self, output: Tensor, batch: Any) -> Tensor:
            return output.square().mean()

        def losses(self, output: Tensor, batch: Any) -> Tensor:
            return output.square().mean(1)

        def size(self, batch: Any) -> int:
            return len(batch["x"])

        def metrics(self, output: Tensor, batch: Any) -> dict[str, Tensor]:
            return {}

    net = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    pruner = EarlyPruner(net, optimizer, Own(), how=Unstructured(0.5), when=Below("loss", 100.0))
    for _ in range(2):
        batch = {"x": torch.ones(2, 4)}
        output = net(batch["x"])
        output.square().mean().backward()
        optimizer.step()
        pruner.step(batch, output)
        pruner.epoch_end()
    assert pruner.pruned


def test_the_learning_rate_after_pruning_is_not_below_lambda() -> None:
    assert learning_rate_after(0.1) == 0.1
    assert learning_rate_after(0.0) == 0.001
    assert learning_rate_after(0.01, floor=0.02) == 0.02
