"""A callback for the transformers Trainer: ``trainer.add_callback(EarlyPruning(trainer, task))``.

Needs the extra ``transformers``. The tasks for Hugging Face models are here by name, too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from secateurs.core import PruningError, Task
from secateurs.integrations.hf_tasks import HuggingFaceCausalLM, HuggingFaceClassification, logits_of
from secateurs.integrations.in_trainer import InTrainer, torch_optimizer
from secateurs.pruner import EarlyPruner

try:
    from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
except ImportError as error:
    raise PruningError(f"integrations.transformers: {error}: pip install 'secateurs[transformers]'") from error

__all__ = ["FILE", "EarlyPruning", "HuggingFaceCausalLM", "HuggingFaceClassification"]

FILE = "secateurs.safetensors"
"""The pruner's state in a checkpoint's folder: tensors, and JSON in the header; ``secateurs-rank1...`` of rank 1."""

_ALIKE = ("step", "epoch", "loss", "pruning/density")
_ENDLESS = 100_000  # epochs: what the Trainer says of data without a length


class EarlyPruning(TrainerCallback):
    """Prunes the network that a transformers Trainer trains, at the right moment of the run.

    The pruner is built when training begins; it is told of each optimiser step and of each epoch's
    end. The signals' values and the density are logged as ``pruning/...``. Each checkpoint's folder
    gets one more file for each process, ``secateurs.safetensors``, from which a resumed run goes on to the same bits.
    A second ``train()`` of the same Trainer goes on with the same pruner.

    The Trainer does not hand batches and outputs to callbacks: a forward hook on the model sees
    them, and is removed when the network is pruned or training ends. Where the Trainer
    keeps the labels from the model (label smoothing, ``compute_loss_func``), signals and scores that look
    at examples need ``data=``, an iterable of a loader's batches; those that follow the training
    loss cannot be used.

    From pruning on, the best model is the best *pruned* one (``load_best_model_at_end``,
    EarlyStoppingCallback): dense ones are not compared with any more.

    Args:
        trainer: that this callback is added to.
        task: :class:`HuggingFaceClassification` or :class:`HuggingFaceCausalLM`, or one of your own with ``pair``.
        resume_from: the checkpoint's folder, where it is neither ``output_dir/checkpoint-<step>`` nor
            ``TrainingArguments.resume_from_checkpoint``.
        **options: EarlyPruner's other keywords: ``how``, ``when``, ``what``, ``data``, ... ``epochs`` is the Trainer's
            number of epochs.

    Attributes:
        pruner: the :class:`~secateurs.EarlyPruner`; None until training begins.

    Raises:
        PruningError: for an option that does not exist; when training begins, for sharded parameters (FSDP,
            DeepSpeed), a hyperparameter search, a checkpoint without the pruner's state, the default trigger
            without a number of epochs, and what EarlyPruner raises.
    """

    def __init__(self, trainer: Trainer, task: Task, *, resume_from: str | Path | None = None, **options: Any) -> None:
        self._trainer, self._resume_from = trainer, resume_from
        self._inside = InTrainer(task, options, "the model must give logits")
        self._hook: Any = None
        self._batch: dict[str, Any] = {}
        self._output: object = None

    @property
    def pruner(self) -> EarlyPruner | None:
        """The pruner; None until training begins."""
        return self._inside.pruner

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer: builds the pruner, and goes on where a checkpoint stood."""
        del control
        if self._trainer.is_deepspeed_enabled or self._trainer.is_fsdp_enabled:
            raise PruningError("EarlyPruning: DeepSpeed and FSDP shard the parameters, which is not supported: use DDP")
        if state.is_hyper_param_search:
            raise PruningError("EarlyPruning: a hyperparameter search trains several networks: prune in its own run")
        epochs = state.num_train_epochs if 0 < state.num_train_epochs < _ENDLESS else None
        model = self._trainer.model_wrapped
        self._inside.begin(model, torch_optimizer(kwargs["optimizer"]), epochs, "give the data a length")
        if state.global_step:
            self._inside.load_state_dict(self._stored(args, state))
            if self._inside.ended < int(state.epoch):  # the checkpoint is from after an epoch's last step
                self._inside.end_epoch()
        self._release()
        if self._inside.watching:
            # No bound method: a copy of the model, which a guard is asked with, would copy the Trainer and its data.
            def look(module: nn.Module, _args: object, kwargs: dict[str, Any], output: object) -> None:
                self._look(module, kwargs, output)

            self._hook = model.register_forward_hook(look, with_kwargs=True)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer after the optimiser's step, while gradients still stand."""
        del args, state, control, kwargs
        self._inside.step(self._batch, self._output)
        self._batch, self._output = {}, None

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer: measures, and prunes when the trigger fires."""
        del args, kwargs
        event = self._inside.end_epoch()
        self._batch, self._output = {}, None  # what the measurements called the model with
        if event is not None and event.acted:
            state.best_metric = state.best_global_step = state.best_model_checkpoint = None
            self._release()
        wanted = control.should_log
        self._trainer.log(self._inside.row())
        control.should_log = wanted  # logging took it for done

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the Trainer when a checkpoint is written: adds the pruner's state."""
        del control, kwargs
        found = self._inside.state_dict()
        if not found:
            return
        told = {**{name: value for name, value in found.items() if name != "tensors"}, "run": _run(state)}
        tensors = {name: value.contiguous() for name, value in found["tensors"].items()}
        _folder(args, state).mkdir(parents=True, exist_ok=True)  # another rank may be about to make it
        save_file(tensors, _folder(args, state) / _file(args), {"state": json.dumps(told)})

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer: the mask stays in force."""
        del args, state, control, kwargs
        self._release()

    def _look(self, module: nn.Module, kwargs: dict[str, Any], output: object) -> None:
        if module.training:
            found = logits_of(output)
            self._batch, self._output = kwargs, None if found is None else found.detach()

    def _release(self) -> None:
        self._batch, self._output = {}, None
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _stored(self, args: TrainingArguments, state: TrainerState) -> dict[str, Any]:
        """The state beside the checkpoint that the Trainer goes on from: it does not say which that is."""
        folders = [self._resume_from, args.resume_from_checkpoint, _folder(args, state)]
        for folder in (Path(each) for each in folders if isinstance(each, str | Path)):
            for path in (folder / _file(args), folder / FILE):  # this rank's own, or the first one's
                if path.is_file() and (found := _read(path, _run(state))):
                    return found
        looked = ", ".join(str(each) for each in folders if each)
        raise PruningError(
            f"EarlyPruning: training goes on from step {state.global_step}, but no {FILE} of that run and step is in "
            f"{looked}: give EarlyPruning(..., resume_from=) the checkpoint's folder; a run that began without pruning "
            "cannot go on with it"
        )


def _folder(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


def _file(args: TrainingArguments) -> str:
    """Each rank has examples of its own."""
    return FILE if not args.process_index else FILE.replace(".", f"-rank{args.process_index}.", 1)


def _read(path: Path, run: str) -> dict[str, Any]:
    """The state in a file; empty when it is of another run."""
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["state"])
        if told["run"] != run:
            return {}
        return {**told, "tensors": {name: file.get_tensor(name) for name in tuple(file.keys())}}


def _run(state: TrainerState) -> str:
    """What tells a run and its step from others, on every rank alike: what it has logged of its loss."""
    rows = [[row.get(name) for name in _ALIKE] for row in state.log_history]
    told = json.dumps([state.global_step, rows])
    return hashlib.sha256(told.encode()).hexdigest()
