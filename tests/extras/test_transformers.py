"""Early pruning by the transformers Trainer, and tasks for its models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from secateurs import KLUniform, Unstructured
from secateurs.core import DataError, PruningError, Spec
from secateurs.what import score
from secateurs.when import At, TrainLoss

HALF = Unstructured(0.5, scope="layer", exclude=("classifier",))
pytestmark = [
    pytest.mark.usefixtures("elsewhere"),
]


@pytest.fixture(scope="module")
def hf(extra: Callable[..., Any]) -> Any:
    extra("accelerate", "accelerate")
    return extra("transformers", "in_transformers")


def pruned_only(callback: Any, net: Any) -> None:
    mask = callback.pruner.mask
    assert mask.density == pytest.approx(0.5, abs=1e-3)
    assert not any("classifier" in name for name in mask)
    for name, parameter in net.named_parameters():
        if name in mask:
            assert torch.equal(parameter != 0, mask[name])


def test_resuming_gives_the_same_bits(hf: Any, tmp_path: Path) -> None:
    options = {
        "what": "fisher",
        "when": At("2ep"),
        "signals": [KLUniform(), TrainLoss()],
        "how": HALF,
    }
    whole, callback = hf.trainer(tmp_path, options, save_strategy="steps", save_steps=hf.STEPS // 2)
    whole.train()
    pruned_only(callback, whole.model)
    assert whole.state.global_step == 4 * hf.STEPS
    # Inside the first epoch, at the last step of the first and second (before their ends), and after pruning.
    for step in (hf.STEPS // 2, hf.STEPS, 2 * hf.STEPS, 2 * hf.STEPS + hf.STEPS // 2):
        assert (tmp_path / f"checkpoint-{step}" / hf.FILE).is_file()
        again, resumed = hf.trainer(tmp_path, options)
        again.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert resumed.pruner.mask == callback.pruner.mask
        assert str(resumed.pruner.event) == str(callback.pruner.event)
        for (name, one), other in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
            assert torch.equal(one, other), (step, name)


def test_a_checkpoint_elsewhere_must_be_named(hf: Any, tmp_path: Path) -> None:
    options = {"when": At("2ep"), "how": HALF}
    first, callback = hf.trainer(tmp_path / "first", options, save_strategy="epoch", num_train_epochs=2)
    first.train()
    moved = shutil.move(tmp_path / "first" / f"checkpoint-{2 * hf.STEPS}", tmp_path / "moved")
    lost, _ = hf.trainer(tmp_path / "other", options)
    with pytest.raises(PruningError, match=r"resume_from="):
        lost.train(resume_from_checkpoint=str(moved))
    found, resumed = hf.trainer(tmp_path / "other", {**options, "resume_from": moved})
    found.train(resume_from_checkpoint=str(moved))
    assert resumed.pruner.mask == callback.pruner.mask
    pruned_only(resumed, found.model)


def test_optimiser_steps_count_not_batches_and_everything_is_logged(hf: Any, tmp_path: Path) -> None:
    options = {"when": At("2ep"), "how": HALF, "signals": [KLUniform()]}
    chief, callback = hf.trainer(tmp_path, options, gradient_accumulation_steps=2, num_train_epochs=3)
    chief.train()
    assert callback.pruner.event.moment.steps == 2 * (hf.STEPS // 2)
    logged = chief.state.log_history
    assert [row["pruning/density"] for row in logged if "pruning/density" in row] == [1.0, pytest.approx(0.5), 0.5]
    assert len([row for row in logged if "pruning/kl_uniform" in row]) == 2
    assert len([row for row in logged if "loss" in row]) == 3
    assert not chief.model._forward_hooks


def test_the_best_model_is_a_pruned_one(hf: Any, tmp_path: Path) -> None:
    chief, callback = hf.trainer(
        tmp_path,
        {"when": At("2ep"), "how": HALF},
        save_strategy="epoch",
        eval_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="score",
        greater_is_better=True,
    )
    chief.train()
    assert chief.state.best_global_step == 2 * hf.STEPS
    pruned_only(callback, chief.model)


def test_a_guard_is_asked_with_a_copy_of_the_network_alone(hf: Any, tmp_path: Path) -> None:
    seen: list[Any] = []
    options = {"when": At("1ep"), "how": HALF, "guard": lambda pruned: not seen.append(pruned)}
    chief, callback = hf.trainer(tmp_path, options, num_train_epochs=2)
    chief.train()
    assert len(seen) == 1
    pruned_only(callback, chief.model)


@pytest.mark.parametrize("moment", ["1ep", "3ep"])
def test_training_on_goes_on(hf: Any, tmp_path: Path, moment: str) -> None:
    options = {"when": At(moment), "how": HALF, "signals": [TrainLoss()]}
    chief, callback = hf.trainer(tmp_path, options, num_train_epochs=2, save_strategy="epoch")
    if moment == "3ep":
        with pytest.warns(UserWarning, match="the 2 epochs are over"):
            chief.train()
    else:
        chief.train()
    chief.train()
    assert callback.pruner.event.moment.epoch == int(moment[0])
    assert callback.pruner._progress.clock.epochs == 4
    pruned_only(callback, chief.model)
    chief.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{hf.STEPS}"))  # of the second
    assert callback.pruner._progress.clock.epochs == 4
    pruned_only(callback, chief.model)


def test_labels_that_the_model_does_not_see(hf: Any, tmp_path: Path) -> None:
    chief, _ = hf.trainer(tmp_path, {"what": "snip", "when": At("1ep"), "how": HALF}, label_smoothing_factor=0.1)
    with pytest.raises(PruningError, match="give the pruner data="):
        chief.train()
    given = {"what": "snip", "when": At("1ep"), "how": HALF, "data": hf.batches(hf.LENGTH)}
    chief, callback = hf.trainer(tmp_path, given, label_smoothing_factor=0.1, num_train_epochs=2)
    chief.train()
    pruned_only(callback, chief.model)
    chief, callback = hf.trainer(tmp_path, {"how": HALF}, label_smoothing_factor=0.1)
    chief.train()
    pruned_only(callback, chief.model)


@torch.no_grad()
def test_classification_is_the_model_s_own(hf: Any) -> None:
    task = hf.HuggingFaceClassification(3, ("input_ids", "attention_mask"), length=hf.LENGTH + 2)
    given, longer = hf.batches(hf.LENGTH, hf.LENGTH + 1)
    net, batch = hf.bert().eval(), task.pair(given)
    told = net(**given)
    output = task.output(net, batch)
    assert torch.allclose(output, told.logits, atol=1e-6)  # what is padded is masked
    assert float(task.loss(output, batch)) == pytest.approx(float(told.loss))
    assert task.size(batch) == 8
    assert torch.equal(batch.inputs, task.pair(longer).inputs)
    with pytest.raises(DataError, match="raise length="):
        hf.HuggingFaceClassification(3, ("input_ids",), length=2).pair(given)
    with pytest.raises(DataError, match=r"no tensor 'pixel_values'.*inputs="):
        hf.HuggingFaceClassification(3).pair(given)


def test_a_language_model(hf: Any) -> None:
    task = hf.HuggingFaceCausalLM()
    (given,) = hf.batches(hf.LENGTH)
    given = {**given, "labels": given["input_ids"].masked_fill(given["input_ids"] == 3, -100)}
    net, batch = hf.gpt().eval(), task.pair(given)
    output = task.output(net, batch).detach()
    losses = task.losses(output, batch)
    for row in range(8):
        own = net(**{name: value[row : row + 1] for name, value in given.items()}).loss
        assert losses[row].item() == pytest.approx(own.item(), rel=1e-5)
    assert float(task.loss(output, batch)) == pytest.approx(float(losses.mean()))
    padded = hf.HuggingFaceCausalLM(length=8).pair(given)
    assert torch.allclose(task.losses(task.output(net, padded), padded), losses, atol=1e-5)
    found = score(Spec("snip"), net, task, [batch])
    assert all(torch.isfinite(each).all() for each in found.values())
