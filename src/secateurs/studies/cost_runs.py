"""The job that measures what a run's network costs at the end: time and memory of a training step, beside dense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Batch, Task
from secateurs.jobs import Context, Entry, Job, job
from secateurs.measure.costs import Clock, MakeOptimizer, costs
from secateurs.studies.ended import placed
from secateurs.studies.plan import Planner
from secateurs.studies.runs import RunConfig, load_data, located
from secateurs.train import Seeds, TrainSettings
from secateurs.train.objective import objective
from secateurs.train.precision import Arithmetic

_COST = 0.1
"""What measuring counts in progress bars, in epochs."""


class CostsConfig(RunConfig):
    """Everything that the measurement follows from, beside the run whose network it is, and the machine."""

    repeats: int
    memory: bool
    clock: Clock | None


@job("costs_run", version=1)
def costs_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Measure the final network of the run ``run``, turn by turn with the dense one; without a run, the dense alone.

    On a batch of training examples of the size that is trained with, in the run's precision and with its
    optimiser. A pass is timed, of which a step with SAM takes two; the copy of the weights that it keeps is not in
    the peak of memory. The summary's ``costs`` are :class:`Costs` in JSON; null where the run left no network.
    """
    c = CostsConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))
    dense = c.untrained(data, ctx.device)
    state = dense
    if "run" in inputs:
        summary = inputs["run"].summary
        if summary["diverged"] is not None and "test_loss" not in summary:
            return {"costs": None}  # the dense run diverged before: nothing was pruned or trained
        state = placed(inputs["run"].tensors("final"), c.untrained(data, ctx.device), data)
    found = costs(
        state.model,
        _as_trained(data.task, c.train, ctx.device),
        next(iter(data.train.batches(c.train.batch_size, c.train.batch_size))),
        mask=state.mask,
        optimizer=_optimizer(c.train),
        reference=None if state is dense else dense.model,
        repeats=c.repeats,
        clock=c.clock or ("cpu" if ctx.device.type == "cpu" else "wall"),
        memory=c.memory,
    )
    return {"costs": found.to_json()}


def costs_job(planner: Planner, run: Job) -> Job:
    """The job that measures the network which ``run`` ends with, as the recipe's ``costs`` say.

    A dense run's network is that of any other seed, and is measured once, untrained.

    Args:
        planner: of the setting; its recipe has ``costs``.
        run: a job that leaves tensors ``final``, or a dense run.
    """
    r: Any = planner.recipe
    dense = run.name == "dense_run"
    seeds = Seeds() if dense else Seeds.model_validate(run.config["seeds"])
    said = {name: getattr(r.costs, name) for name in ("repeats", "memory", "clock")}
    config = CostsConfig(model=r.model, data=r.data, train=r.train, seeds=seeds, **said)
    label = "costs of the dense network" if dense else f"costs of {run.label.removeprefix(f'{planner.setting}: ')}"
    return planner.job("costs_run", config, {} if dense else {"run": run}, {}, label, _COST)


@dataclass(frozen=True)
class _AsTrained:
    """A task whose outputs and losses are computed as training does it: precision, memory layout, smoothing."""

    task: Task
    arithmetic: Arithmetic
    training_loss: Callable[[Tensor, Batch], Tensor]

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.arithmetic.output(self.task, model, batch)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return self.training_loss(output, batch)

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        return self.task.losses(output, batch)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        return self.task.metrics(output, batch)

    def size(self, batch: Batch) -> int:
        return self.task.size(batch)


def _as_trained(task: Task, settings: TrainSettings, device: torch.device) -> Task:
    return _AsTrained(task, Arithmetic(settings, device, None), objective(task, settings))


def _optimizer(settings: TrainSettings) -> MakeOptimizer:
    """The recipe's optimiser, of parameters alone."""

    def build(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return settings.optimizer.build(nn.ParameterList(parameters), settings.lr)

    return build
