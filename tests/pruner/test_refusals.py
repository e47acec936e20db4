"""What a pruner refuses or warns of, as early as it can, and the remedy that it names."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import warnings
import weakref
from typing import Any

import pytest
import torch
from loops import DATA, STEPS, TASK, begin, network, plain_epoch, sgd, train
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune
from torch.optim import SGD

from secateurs.core import Batch, DataError, PruningError, SignalError, Spec
from secateurs.how import enforce, keep_top
from secateurs.pruner import EarlyPruner, Unstructured
from secateurs.what import magnitude
from secateurs.when import At, Below, FisherTrace, GradientNorms, Peak, TrainLoss
from toys import NoPrediction, same_bits


def pruner(model: Any = None, optimizer: Any = None, task: Any = TASK, **options: Any) -> EarlyPruner:
    model = network() if model is None else model
    optimizer = sgd(model) if optimizer is None else optimizer
    return EarlyPruner(model, optimizer, task, **{"when": At("2ep"), **options})


def normalised() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2)))


def pruned_by_torch() -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2))
    torch_prune.l1_unstructured(net[0], "weight", 0.5)
    return net


NET = network()
REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "several optimizers": ({"optimizer": [sgd(NET), sgd(NET)]}, PruningError, "got 2 optimizers: the pruner takes one"),
    "no optimizer": ({"optimizer": NET}, PruningError, "expected a torch.optim.Optimizer, got Sequential"),
    "another model's": ({"optimizer": sgd(network())}, PruningError, "does not hold 0.weight, 5.weight: build it from"),
    "half of the weights": (
        {"model": NET, "optimizer": SGD(NET[5].parameters(), lr=0.1)},
        PruningError,
        "does not hold 0.weight: .*exclude=",
    ),
    "weight norm": ({"model": normalised()}, PruningError, "'0.weight' is no parameter but computed .*weight norm"),
    "torch's prune": ({"model": pruned_by_torch()}, PruningError, "torch's own pruning.*prune.remove"),
    "nothing to prune": ({"model": nn.BatchNorm1d(3)}, PruningError, "no prunable weights"),
    "unknown score": ({"what": "magnitud"}, PruningError, "unknown score 'magnitud'.*did you mean 'magnitude'"),
    "unknown option": ({"what": Spec("snip", {"revived": True})}, PruningError, "no option 'revived'.*mean 'revive'"),
    "unknown signal": ({"when": Peak("fisher")}, SignalError, "needs the signal 'fisher', which is none of ours"),
    "no trigger": ({"when": "2ep"}, SignalError, "expected a trigger such as Peak.*got '2ep'"),
    "layer by layer": (
        {"when": Below("gradient_norms", 1.0), "signals": [GradientNorms(layerwise=True)]},
        SignalError,
        "needs one number, gradient_norms are",
    ),
    "neither trigger nor epochs": ({"when": None}, PruningError, "when: there is no trigger, .*pass epochs="),
    "no number of epochs": ({"epochs": 0}, PruningError, "how many epochs the loop trains, got 0"),
    "too short for the default": ({"when": None, "epochs": 1}, SignalError, "epochs must be at least 2"),
    "twice": ({"signals": [TrainLoss(), TrainLoss()]}, SignalError, "two bear the same name: loss, loss"),
    "no prediction": (
        {"task": NoPrediction(), "when": Peak("fisher_trace")},
        SignalError,
        "NoPrediction has no",
    ),
    "no examples": ({"examples": 0}, PruningError, "must be at least 1, got 0 and 10"),
    "empty data": ({"data": [], "what": "fisher"}, DataError, "there is no example in it"),
    "unknown layer": ({"how": Unstructured(exclude=("6",))}, PruningError, "exclude: the model has no module"),
    "other layers' densities": (
        {"how": Unstructured(scope={"0.weight": 0.1})},
        PruningError,
        "how.scope: '5.weight' is only in the model's prunable weights",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_training_begins(name: str) -> None:
    options, error, told = REFUSED[name]
    with pytest.raises(error, match=f"(?s){told}"):
        pruner(**options)


@pytest.mark.parametrize("options", [{"density": 0.0}, {"density": 1.5}, {"steps": 0}, {"scope": "everywhere"}])
def test_ways_of_pruning_that_say_nothing(options: dict[str, Any]) -> None:
    with pytest.raises(PruningError, match=r"density|scope"):
        Unstructured(**options)


def test_a_network_is_pruned_once() -> None:
    run = train(begin(), range(3))
    with pytest.raises(PruningError, match=r"in force on this optimizer already.*load its state_dict"):
        pruner(run.net, run.optimizer)
    run = begin()
    second = pruner(run.net, run.optimizer)
    train(run, range(1))
    with enforce(run.net, run.optimizer, keep_top(magnitude(run.net), 0.5)):
        plain_epoch(run, 1)
        with pytest.raises(PruningError, match="in force on this optimizer already"):
            run.pruner.epoch_end()
    assert not run.pruner.pruned
    assert not second.pruned


def test_weights_that_are_zero_already_are_told() -> None:
    run = train(begin(), range(3))
    other = begin()
    other.net.load_state_dict(run.net.state_dict())
    with pytest.warns(UserWarning, match=r"7\d% of the prunable weights are exactly 0.*load the pruner's state_dict"):
        train(other, range(1))


def test_an_epoch_without_a_step() -> None:
    with pytest.raises(PruningError, match=r"epoch_end\(\) after epoch 0 without a step\(\): call pruner.step"):
        pruner().epoch_end()
    run = train(begin(), range(1))
    with pytest.raises(PruningError, match="after epoch 1 without"):
        run.pruner.epoch_end()


def test_a_loop_that_forgets_epoch_end_is_told() -> None:
    run = train(begin(), range(1))
    for epoch in range(1, 4):
        plain_epoch(run, epoch)
    with pytest.warns(UserWarning, match=rf"{3 * STEPS + 1} steps into an epoch of {STEPS} steps and no epoch_end"):
        plain_epoch(run, 4)
    plain_epoch(run, 5)  # once is enough
    run = train(begin(), range(2))
    for epoch in range(2, 7):
        plain_epoch(run, epoch)  # it is pruned: nothing is missed
    one = begin().pruner
    one._progress.clock.in_epoch = 100_000
    with pytest.warns(UserWarning, match=r"100001 steps into the first epoch and no epoch_end\(\): nothing"):
        one.step(Batch(torch.ones(1), torch.ones(1)), torch.ones(1, 3))


@pytest.mark.parametrize("act", [True, False])
def test_a_run_that_ends_unpruned_is_told_why_once(act: bool) -> None:
    run = train(begin(when=Below("loss", 0.0), epochs=3, act=act), range(2))
    told = (
        r"the 3 epochs are over: not pruned after 3 epochs: the trigger \(loss below 0\) "
        r"has not fired by epoch 3: loss, .* was not below 0"
    )
    with pytest.warns(UserWarning, match=f"(?s){told}; .*bound it: no_later_than"):
        train(run, range(2, 3))
    train(run, range(3, 5))
    guarded = train(begin(guard=lambda pruned: False, epochs=3), range(2))
    with pytest.warns(UserWarning, match="3 epochs are over: .*the guard has said no since"):
        train(guarded, range(2, 3))
    train(begin(epochs=3), range(4))  # it was pruned: nothing to tell


def test_batches_to_measure_on_must_be_pairs_of_tensors() -> None:
    one = pruner(when=Peak("fisher_trace"))
    with pytest.raises(PruningError, match=r"expected a pair of tensors \(inputs, targets\).*got dict: .*data="):
        one.step({"x": torch.ones(2)}, torch.ones(2, 3))
    with pytest.raises(PruningError, match=r"inputs of shape \[3\] and targets of shape \[2\] do not fit"):
        one.step((torch.ones(3), torch.ones(2)), torch.ones(2, 3))
    one.step((torch.ones(2, 4), torch.ones(2)), torch.ones(2, 3))
    with pytest.raises(PruningError, match="those of earlier batches"):
        one.step((torch.ones(2, 5), torch.ones(2)), torch.ones(2, 3))


def test_a_diverged_network_is_not_pruned() -> None:
    run = train(begin(), range(1))
    plain_epoch(run, 1)
    with torch.no_grad():
        run.net[5].weight.fill_(torch.nan)
    before = {name: value.clone() for name, value in run.net.state_dict().items()}
    with pytest.raises(PruningError, match="has training diverged"):
        run.pruner.epoch_end()
    assert not run.pruner.pruned
    other = network()
    other.load_state_dict(before)
    assert same_bits(run.net, other)


def test_a_layer_that_is_pruned_away_is_told() -> None:
    def scores(model: nn.Module, *given: Any, **options: Any) -> Any:
        return {name: torch.full(p.shape, float(name == "5.weight")) for name, p in magnitude(model).items()}

    run = begin(what=scores)
    with pytest.warns(UserWarning, match=r"nothing is left of 0\.weight: keep more.*scope="):
        train(run, range(2))
    assert run.pruner.pruned


@pytest.mark.parametrize("ask", ["savings", "apply"])
def test_a_dense_network_has_no_mask_to_speak_of(ask: str) -> None:
    one = pruner()
    with pytest.raises(PruningError, match=re.escape(f"{ask}: the network is not pruned yet: no epoch has ended")):
        one.savings() if ask == "savings" else one.apply(network())
    assert one.mask is None


def test_a_layerwise_signal_may_be_logged() -> None:
    run = train(begin(signals=[GradientNorms(layerwise=True), FisherTrace(samples=8)]), range(2))
    assert len(run.pruner.log[0][1]["gradient_norms"]) == 2


def test_a_first_epoch_that_is_longer_than_the_data_is_told() -> None:
    run = begin(what="fisher", data=DATA.train)  # a pass over it takes STEPS
    for epoch in range(3):
        plain_epoch(run, epoch)
    with pytest.warns(UserWarning, match=rf"{3 * STEPS + 1} steps into the first epoch, where a pass .* takes {STEPS}"):
        plain_epoch(run, 3)
    plain_epoch(run, 4)  # once is enough


def test_a_state_of_a_run_without_an_epoch_is_told_once() -> None:
    one = begin().pruner
    one.state_dict()  # nothing was trained: nothing is missed
    one.step(Batch(torch.ones(1), torch.ones(1)), torch.ones(1, 3))
    with pytest.warns(
        UserWarning, match=r"state_dict\(\) after 1 steps, and no epoch has ended.*call pruner.epoch_end"
    ):
        one.state_dict()
    one.state_dict()


@pytest.mark.parametrize(("steps", "ended", "told"), [(2, False, 1), (0, False, 0), (4, True, 0)])
def test_a_run_that_ends_without_an_epoch_is_told(
    steps: int, ended: bool, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys, "last_value", raising=False)
    run = begin()
    for _ in range(steps):
        run.pruner.step(Batch(torch.ones(1), torch.ones(1)), torch.ones(1, 3))
    if ended:
        run.pruner.epoch_end()
    kept = weakref.ref(run.pruner)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        run.pruner = None
        gc.collect()
    assert kept() is None
    assert len([each for each in seen if "the run is over after" in str(each.message)]) == told


def test_at_the_end_of_a_program_a_warning_is_no_error() -> None:
    program = (
        "import torch; from secateurs.pruner import EarlyPruner; from secateurs.when import At\n"
        "from secateurs.zoo import Classification\n"
        "net = torch.nn.Linear(2, 2); sgd = torch.optim.SGD(net.parameters(), 0.1)\n"
        "pruner = EarlyPruner(net, sgd, Classification(2), when=At('1ep')); pruner.step((net, net), net)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "UserWarning: EarlyPruner: the run is over after 1 steps, and no epoch has ended" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [0.1, Unstructured, None])
def test_what_is_no_way_of_pruning_is_told(how: Any) -> None:
    with pytest.raises(PruningError, match=r"how: expected Unstructured\(...\) or Channels\(...\), got"):
        begin(how=how)


def test_a_state_of_another_network_is_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 10))
    other = EarlyPruner(net, sgd(net), TASK, how=Unstructured(0.3), when=At("2ep"))
    with pytest.raises(PruningError, match=r"network=\d+ weights in 2 tensors, this one has network=370 weights"):
        other.load_state_dict(begin().pruner.state_dict())
