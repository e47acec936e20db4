"""Early pruning by Lightning's Trainer."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import secateurs.integrations
from secateurs import Channels, FisherTrace, KLUniform, Peak, Unstructured, WeightChange
from secateurs.core import PruningError, SignalError
from secateurs.when import At, no_later_than
from secateurs.zoo import Classification
from toys import CLASSES, toy_data

TASK = Classification(CLASSES)
HALF = Unstructured(0.5)

pytestmark = [
    # Lightning's own, against torch 2.13: it still asks torch's pytree in the old way.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    # Advice on speed, which toys have no use for.
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.usefixtures("elsewhere"),
]


@pytest.fixture(scope="module")
def lit(extra: Callable[..., Any]) -> Any:
    return extra("lightning", "in_lightning")


def pruned_only(pruning: Any, net: Any) -> None:
    """The mask is in force: what it dropped is zero, and nothing else is."""
    mask = pruning.pruner.mask
    assert mask.kept == round(mask.density * mask.total) == mask.total // 2
    for name, parameter in net.named_parameters():
        if name in mask:
            assert torch.equal(parameter != 0, mask[name])


def steps(net: Any) -> int:
    return len(toy_data().train) // net.BATCH + bool(len(toy_data().train) % net.BATCH)


SIGNALS: dict[str, Any] = {
    "what": "fisher",
    "when": no_later_than(Peak("fisher_trace", warm_up=0), "3ep"),
    "signals": [FisherTrace(samples=16), KLUniform()],
    "how": HALF,
}


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")  # of course
@pytest.mark.parametrize(
    "kind", [{"save_on_train_epoch_end": True}, {"save_on_train_epoch_end": False}, {"every_n_train_steps": "epoch"}]
)
def test_resuming_gives_the_same_bits(lit: Any, tmp_path: Path, kind: dict[str, Any]) -> None:
    each = steps(lit)
    kind = {name: each if value == "epoch" else value for name, value in kind.items()}
    whole, net = lit.EarlyPruning(TASK, **SIGNALS), lit.Net()
    lit.trainer(tmp_path, whole, lit.checkpoints(tmp_path, **kind)).fit(net, lit.loader(), lit.loader())
    assert whole.pruner.event.moment.epoch in (2, 3)
    pruned_only(whole, net)
    for epoch in range(1, 5):
        pruning, resumed = lit.EarlyPruning(TASK, **SIGNALS), lit.Net()
        (file,) = tmp_path.glob(f"*step={epoch * each}.ckpt")
        torch.load(file, weights_only=True)
        chief = lit.trainer(tmp_path, pruning, lit.checkpoints(tmp_path, **kind))
        chief.fit(resumed, lit.loader(), lit.loader(), ckpt_path=file)
        assert pruning.pruner.mask == whole.pruner.mask
        assert str(pruning.pruner.event) == str(whole.pruner.event)
        for (name, one), other in zip(net.state_dict().items(), resumed.state_dict().values(), strict=True):
            assert torch.equal(one, other), (epoch, name)


def test_optimiser_steps_count_not_batches(lit: Any, tmp_path: Path) -> None:
    pruning = lit.EarlyPruning(TASK, when=At("2ep"), how=HALF)
    lit.trainer(tmp_path, pruning, epochs=2, accumulate_grad_batches=2).fit(lit.Net(), lit.loader(), lit.loader())
    assert pruning.pruner.event.moment.steps == 2 * ((steps(lit) + 1) // 2)


@pytest.mark.parametrize("how", ["self", "told", "manual"])
def test_outputs_are_seen(lit: Any, tmp_path: Path, how: str) -> None:
    pruning, net = lit.EarlyPruning(TASK, when=At("2ep"), how=HALF, signals=[KLUniform()]), lit.Net(how)
    chief = lit.trainer(tmp_path, pruning, epochs=3)
    chief.fit(net, lit.loader(), lit.loader())
    assert [moment.steps for moment, _ in pruning.pruner.log] == [steps(lit), 2 * steps(lit)]
    assert all(row["kl_uniform"] > 0 for _, row in pruning.pruner.log)
    assert chief.callback_metrics["pruning/density"] == pytest.approx(0.5)
    assert not net._forward_hooks
    pruned_only(pruning, net)


def test_signals_are_logged(lit: Any, tmp_path: Path) -> None:
    pruning = lit.EarlyPruning(TASK, how=HALF, signals=[WeightChange()])
    chief = lit.trainer(tmp_path, pruning, epochs=4)
    seen = []
    pruning.on_train_epoch_start = lambda *_: seen.append(dict(chief.callback_metrics))
    chief.fit(lit.Net(), lit.loader(), lit.loader())
    assert seen[1]["pruning/weight_change"] == pytest.approx(1.0)
    assert seen[1]["pruning/density"] == 1.0


def test_the_best_model_is_a_pruned_one(lit: Any, tmp_path: Path) -> None:
    pruning, net = lit.EarlyPruning(TASK, when=At("2ep"), how=HALF), lit.Net()
    best = lit.ModelCheckpoint(dirpath=tmp_path, monitor="score", mode="min")
    dense = lit.checkpoints(tmp_path / "all")
    chief = lit.trainer(tmp_path, pruning, best, dense)
    chief.fit(net, lit.loader(), lit.loader())
    assert "epoch=1" in best.best_model_path
    chief.test(dataloaders=lit.loader(), ckpt_path=best.best_model_path, verbose=False)
    pruned_only(pruning, net)
    (first,) = (tmp_path / "all").glob("epoch=0-*")
    chief.test(dataloaders=lit.loader(), ckpt_path=first, verbose=False)
    assert pruning.pruner.pruned
    assert not any(net.state_dict()[name][~kept].any() for name, kept in pruning.pruner.mask.items())


def test_fitting_on_goes_on(lit: Any, tmp_path: Path) -> None:
    pruning, net = lit.EarlyPruning(TASK, when=At("2ep"), how=HALF), lit.Net()
    chief = lit.trainer(tmp_path, pruning, epochs=1)
    with pytest.warns(UserWarning, match="the 1 epochs are over"):
        chief.fit(net, lit.loader(), lit.loader())
    chief.fit_loop.max_epochs = 3
    chief.fit(net, lit.loader(), lit.loader())
    assert pruning.pruner.event.moment.epoch == 2
    pruned_only(pruning, net)


@pytest.mark.parametrize("acts", [True, False])
def test_a_second_trainer_goes_on(lit: Any, tmp_path: Path, acts: bool) -> None:
    first, net = lit.EarlyPruning(TASK, when=None if acts else At("5ep"), how=HALF), lit.Net()
    if acts:
        lit.trainer(tmp_path, first, epochs=4).fit(net, lit.loader(), lit.loader())
    else:
        with pytest.warns(UserWarning, match="the 4 epochs are over"):
            lit.trainer(tmp_path, first, epochs=4).fit(net, lit.loader(), lit.loader())
    event = first.pruner.event
    chief = lit.trainer(tmp_path, first, epochs=2)
    chief.fit(net, lit.loader(), lit.loader())
    assert chief.current_epoch == 2
    assert first.pruner.event == event if acts else first.pruner.event.moment.epoch == 5
    assert first.pruner._progress.clock.epochs == 6
    pruned_only(first, net)


def test_a_module_whose_channels_are_gone_is_fitted_on(lit: Any, tmp_path: Path) -> None:
    pruning, net = lit.EarlyPruning(TASK, when=At("1ep"), how=Channels(0.5)), lit.Net()
    for epochs in (2, 1):
        lit.trainer(tmp_path, pruning, epochs=epochs).fit(net, lit.loader(), lit.loader())
    assert pruning.pruner._progress.clock.epochs == 3
    assert net.net[1].out_features < 16


def test_a_guard_is_asked_with_a_copy_of_the_network_alone(lit: Any, tmp_path: Path) -> None:
    seen: list[Any] = []
    given = {"data": lit.loader(), "what": "snip"}
    pruning, net = (
        lit.EarlyPruning(TASK, when=At("1ep"), how=HALF, guard=lambda p: not seen.append(p), **given),
        lit.Net(),
    )
    lit.trainer(tmp_path, pruning, epochs=2).fit(net, lit.loader(), lit.loader())
    assert len(seen) == 1
    pruned_only(pruning, net)


def test_faults_are_told_at_once(lit: Any, tmp_path: Path) -> None:
    def fit(how: str = "self", epochs: int | None = 2, **options: Any) -> None:
        limit = {"max_steps": 5} if epochs is None else {}
        chief = lit.trainer(tmp_path, lit.EarlyPruning(TASK, **options), epochs=epochs, **limit)
        chief.fit(lit.Net(how), lit.loader(), lit.loader())

    with pytest.raises(PruningError, match=r"no option 'whne'.*did you mean 'when'"):
        fit(whne=At("2ep"))
    with pytest.raises(PruningError, match="2 optimizers"):
        fit("two", when=At("2ep"))
    with pytest.raises(PruningError, match=r"length is unknown: give Trainer\(max_epochs=\)"):
        fit(epochs=None)
    with pytest.raises(SignalError, match=r"none was seen: call self\(inputs\)"):
        fit("inside", when=At("2ep"), signals=[KLUniform()])


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_a_missing_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    path = Path(secateurs.integrations.__file__).parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location("without_its_extra", path)
    with pytest.raises(PruningError, match=rf"pip install 'secateurs\[{name}\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
