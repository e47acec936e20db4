"""The run that prunes itself: watched, pruned where its trigger fires, trained to the end of its budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.core import Spec, Trigger
from secateurs.jobs import Context, Entry, job
from secateurs.procedures import AutomaticRun, PruneChannelSettings, PruneSettings, automatic_pruning
from secateurs.studies.counted import counted
from secateurs.studies.runs import RunConfig, facts_of, final_numbers, load_data, located
from secateurs.studies.schema import PrunePart, SignalPart
from secateurs.studies.schema.common import TriggerPart
from secateurs.train import TrainSettings, pack
from secateurs.when import signal_of, trigger_of


class AutomaticConfig(RunConfig):
    """Everything that a run which prunes itself follows from.

    ``rule`` is the trigger written out: it is in the key, so that a default that changes never meets old results.
    """

    prune: PrunePart
    signals: tuple[SignalPart, ...]
    trigger: TriggerPart
    rule: str


@job("automatic_run", version=1)
def automatic_run(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Train once, prune where the trigger fires, train what is left; keep the final state.

    Metrics: one row for each epoch, the untrained network's first. The summary's ``pruned`` is the
    moment; null when the trigger never fired, or the run diverged before.
    """
    del inputs
    c = AutomaticConfig.model_validate(located(config, ctx.where))
    data = load_data(c.data, str(ctx.device))

    def each_epoch(run: AutomaticRun) -> None:
        ctx.log({**run.rows[-1], "epochs": c.train.epochs})
        ctx.pause_point(run.pause)

    run = automatic_pruning(
        c.model,
        data,
        c.train,
        c.prune,
        trigger=rule_of(c.trigger, c.train, c.prune, c.seeds.pruning),
        signals=[signal_of(spec) for spec in c.signals],
        seeds=c.seeds,
        device=ctx.device,
        paused=ctx.restored,
        each_epoch=each_epoch,
    )
    ctx.save(pack(run.state)[0], name="final")
    facts = facts_of(run.state, data, c.model)
    pruned = {"pruned": None if run.pruned is None else str(run.pruned)}
    return final_numbers(run.state, data) | facts | pruned | {"costs": counted(run.state, data, c.model)}


def rule_of(trigger: Spec, train: TrainSettings, prune: PruneSettings | PruneChannelSettings, seed: int) -> Trigger:
    """The trigger as it acts in a run.

    Raises:
        SignalError: when the run does not suit it.
    """
    return trigger_of(trigger, epochs=train.epochs, density=prune.density, seed=seed)
