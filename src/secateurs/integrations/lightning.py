"""A callback for Lightning: ``Trainer(callbacks=[EarlyPruning(task)])``.

Needs the extra ``lightning``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import PruningError, Task
from secateurs.integrations.in_trainer import InTrainer
from secateurs.pruner import EarlyPruner

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
except ImportError as error:
    raise PruningError(f"integrations.lightning: {error}: pip install 'secateurs[lightning]'") from error

_UNSEEN = 'call self(inputs) in training_step, or let that return {"loss": loss, "output": logits}'
_SHARDED = (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)


class EarlyPruning(Callback):
    """Prunes the network that a Lightning Trainer trains, at the right moment of the run.

    The pruner is built when fitting starts, from the LightningModule and its one optimiser; it is told of
    each optimiser step, however many batches that takes, and of each epoch's end, before the epoch's
    validation; its state is in the checkpoints. The signals' values and the density are logged as ``pruning/...``.

    Signals that follow the training steps (KL-uniform, the training loss) need the network's output:
    call ``self(inputs)`` in ``training_step``, or let that return ``{"loss": ..., "output": logits}``.
    Signals and scores that look at examples call the LightningModule: it needs ``forward``, and
    batches must be pairs ``(inputs, targets)``, or dictionaries with a task that has ``pair``.

    From pruning on, ``ModelCheckpoint(monitor=...)`` keeps the best *pruned* network: what it kept
    before is not compared with any more (the files stay).

    Args:
        task: as EarlyPruner's.
        **options: EarlyPruner's other keywords: ``how``, ``when``, ``what``, ``data``, ... ``epochs`` is the Trainer's
            ``max_epochs``.

    Attributes:
        pruner: the :class:`~secateurs.EarlyPruner`; None until fitting starts.

    Raises:
        PruningError: for an option that does not exist; when fitting starts, for several optimisers, sharded
            parameters (FSDP, DeepSpeed), the default trigger without ``max_epochs``, and what EarlyPruner raises.

    >>> from secateurs.zoo import Classification
    >>> EarlyPruning(Classification(10), density=0.1)
    Traceback (most recent call last):
        ...
    secateurs.core.errors.PruningError: EarlyPruning has no option 'density'; choices: ...
    """

    def __init__(self, task: Task, **options: Any) -> None:
        self._inside = InTrainer(task, options, _UNSEEN)
        self._loaded: Mapping[str, Any] = {}
        self._fitting = False
        self._seen: Tensor | None = None
        self._steps = 0
        self._hook: Any = None

    @property
    def pruner(self) -> EarlyPruner | None:
        """The pruner; None until fitting starts."""
        return self._inside.pruner

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called by Lightning. Only fitting goes on from a checkpoint; testing one leaves the pruner alone."""
        del trainer, pl_module
        self._fitting = stage == "fit"

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning: builds the pruner."""
        if isinstance(trainer.strategy, _SHARDED):
            raise PruningError(
                f"EarlyPruning: {type(trainer.strategy).__name__} shards the parameters, which is not supported: "
                'use one device or strategy="ddp"'
            )
        if len(trainer.optimizers) != 1:
            raise PruningError(
                f"EarlyPruning: configure_optimizers gives {len(trainer.optimizers)} optimizers: the pruner takes one; "
                "put all parameters into one optimizer with several parameter groups"
            )
        epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs > 0 else None
        self._inside.begin(
            trainer.strategy.model, trainer.optimizers[0], epochs, "give Trainer(max_epochs=)", trainer.current_epoch
        )
        self._take_up()

        # No bound method: a copy of the module, which a guard is asked with, would copy this callback as well.
        def look(module: nn.Module, _inputs: object, output: object) -> None:
            self._look(module, output)

        self._hook = pl_module.register_forward_hook(look)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning, when everything is restored."""
        del pl_module
        self._take_up()
        self._steps = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Called by Lightning: tells the pruner of the steps since the last batch; after an epoch's last, of its end.

        That is before the epoch's validation, so that what is validated, and kept for its score, is what is trained on.
        """
        del pl_module, batch_idx
        output = outputs.get("output", self._seen) if isinstance(outputs, Mapping) else self._seen
        while self._steps < trainer.global_step:
            self._steps += 1
            self._inside.step(batch, output)
        self._seen = None
        if trainer.is_last_batch:
            self._end_epoch(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning: logs; ends the epoch if it was left before its last batch."""
        del pl_module
        self._end_epoch(trainer)
        # Equal on all ranks, except for the seconds.
        self.log_dict(self._inside.row(), sync_dist=trainer.world_size > 1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called by Lightning: the mask stays in force, so that a restored best model is a pruned one."""
        del trainer, pl_module, stage
        self._fitting, self._loaded, self._seen = False, {}, None
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def state_dict(self) -> dict[str, Any]:
        """Called by Lightning: tensors and JSON."""
        return self._inside.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called by Lightning, before the optimiser is there, or after."""
        if self._fitting:
            self._loaded = state_dict

    def _end_epoch(self, trainer: Trainer) -> None:
        if self._inside.ended > trainer.current_epoch:
            return
        event = self._inside.end_epoch()
        self._seen = None
        if event is not None and event.acted:
            for callback in trainer.checkpoint_callbacks:
                if isinstance(callback, ModelCheckpoint) and callback.monitor is not None:
                    _forget_the_dense(callback)

    def _take_up(self) -> None:
        if self._loaded:
            self._inside.load_state_dict(self._loaded)
            self._loaded = {}

    def _look(self, module: nn.Module, output: object) -> None:
        # DistributedDataParallel calls training_step as if it were forward: its loss is no output.
        if module.training and self._inside.watching and isinstance(output, Tensor) and output.ndim:
            self._seen = output.detach()


def _forget_the_dense(callback: ModelCheckpoint) -> None:
    """Compare the networks from now on with each other, not with dense ones."""
    callback.best_k_models.clear()
    callback.best_model_path = callback.kth_best_model_path = ""
    callback.best_model_score = None
    callback.kth_value = torch.tensor(torch.inf if callback.mode == "min" else -torch.inf)
