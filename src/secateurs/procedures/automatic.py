"""Automatic early pruning: one run, pruned by itself when a trigger says that now is the moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from secateurs.core import (
    Moment,
    Signal,
    SignalError,
    Spec,
    TrainState,
    Trigger,
    TriggerState,
    all_finite,
    did_you_mean,
    under,
)
from secateurs.procedures.pruning import PruneChannelSettings, PruneSettings, prune
from secateurs.train import Seeds, TrainSettings, begin, observe, pack, train, unpack
from secateurs.when import TrainLoss, Watch, measurements
from secateurs.zoo import Dataset

Paused = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Where a run stood at an epoch's end: tensors, and JSON."""

_ALL_ZERO = Seeds()


@dataclass
class AutomaticRun:
    """Where a run that prunes itself stands; when it is over, what it came to.

    Attributes:
        state: the training state.
        watch: follows the signals; once the network is pruned, only the training loss.
        memory: what the trigger remembers.
        rows: one for each epoch's end, the untrained network's first: ``epoch``, ``moment``, each signal's value,
            ``seconds/<signal>`` that it took, ``seconds/scoring`` where it was pruned, ``seconds`` of it all.
        pruned: when the network was pruned; None: the trigger has not fired, or the run diverged before.
    """

    state: TrainState
    watch: Watch
    memory: TriggerState
    rows: list[dict[str, Any]]
    pruned: Moment | None = None

    def pause(self) -> Paused:
        """All that the run goes on from; the tensors are its own, not copies."""
        (tensors, meta), (seen, plain) = pack(self.state), self.watch.state()
        named = {f"state/{name}": value for name, value in tensors.items()}
        named |= {f"watch/{name}": value for name, value in seen.items()}
        pruned = None if self.pruned is None else self.pruned.steps
        return named, {"state": meta, "watch": plain, "memory": self.memory, "rows": self.rows, "pruned": pruned}


def automatic_pruning(
    model: Spec,
    data: Dataset,
    training: TrainSettings,
    pruning: PruneSettings | PruneChannelSettings,
    *,
    trigger: Trigger,
    signals: Sequence[Signal] = (),
    seeds: Seeds = _ALL_ZERO,
    device: torch.device | str = "cpu",
    paused: Paused | None = None,
    each_epoch: Callable[[AutomaticRun], None] = lambda _: None,
) -> AutomaticRun:
    """Train once, watched by ``signals``; prune at the epoch's end at which ``trigger`` fires; train what is left.

    The decision is that of ``replay`` on the log of the dense run, and the weights are those of
    :func:`early_pruning` at that moment, to the bit. From then on nothing but the loss is
    measured; with channels removed the rest of the run is smaller. A trigger that never fires leaves the
    network dense; so does a run that diverges before.

    Args:
        signals: at least those that the trigger needs. They see training examples only.
        paused: what :meth:`AutomaticRun.pause` gave, to go on to the same bits.
        each_epoch: called at each epoch's end, once the trigger was asked.

    Raises:
        SignalError: when the trigger needs a signal that is not among ``signals``, or one lacks what it measures on.
        PruningError: when the network cannot be pruned so.

    >>> from secateurs.when import At
    >>> from secateurs.zoo import digits
    >>> run = automatic_pruning(
    ...     Spec("lenet_300_100", {"hidden": (16, 8)}),
    ...     digits(),
    ...     TrainSettings(epochs=2, lr=0.05),
    ...     PruneSettings(density=0.25),
    ...     trigger=At("1ep"),
    ... )
    >>> str(run.pruned), str(run.state.moment), round(run.state.mask.density, 3)
    ('1ep', '2ep', 0.25)
    """
    _check_signals(trigger, signals)
    state = begin(model, data, training, init_seed=seeds.init, device=device)
    watch = _watch(signals, state, data, seeds)
    run = AutomaticRun(state, watch, trigger.init(), [])
    if paused is not None:
        _go_on(run, paused, data)
    for now, row in _epoch_ends(run, data, training, seeds):
        run.rows.append(row)
        if run.pruned is None and run.state.diverged is None:
            run.memory, fired = trigger.update(run.memory, now, measurements(row))
            if fired and not all(map(all_finite, run.state.model.parameters())):
                run.state = run.state.take(diverged=now)  # no loss of training was there yet to show it
            elif fired:
                begun = time.perf_counter()
                run.state = prune(run.state, data, pruning, training, pruning_seed=seeds.pruning, model=model)
                run.pruned, run.watch = now, _only_loss(run.state)
                row["seconds/scoring"] = time.perf_counter() - begun
                row["seconds"] += row["seconds/scoring"]
        each_epoch(run)
    return run


def _epoch_ends(
    run: AutomaticRun, data: Dataset, training: TrainSettings, seeds: Seeds
) -> Iterator[tuple[Moment, dict[str, Any]]]:
    """Train epoch by epoch to the end of the budget; each end with what was measured there, the beginning first."""
    if not run.rows:
        begun = time.perf_counter()
        observe(run.state, data, [run.watch])
        yield run.state.moment, {**run.watch.rows[-1], "seconds": time.perf_counter() - begun}
    while run.state.moment.epoch < training.epochs and run.state.diverged is None:
        begun = time.perf_counter()
        lr = training.lr_at(run.state.moment, run.state.schedule_start, run.state.max_lr)
        until, watching = run.state.moment.epoch + 1, [run.watch]
        run.state = train(run.state, data, training, until=until, order_seed=seeds.order, observers=watching)
        now = run.state.moment
        row = {"epoch": now.epoch, "moment": str(now)} if run.state.diverged else run.watch.rows[-1]
        yield now, {**row, "lr": lr, "seconds": time.perf_counter() - begun}


def _watch(signals: Sequence[Signal], state: TrainState, data: Dataset, seeds: Seeds) -> Watch:
    """The signals and the loss, which is there anyway; they see what those of a dense run see."""
    loss = [] if any(signal.name == TrainLoss.name for signal in signals) else [TrainLoss()]
    probe = data.train.probe(len(data.train), seeds.order)
    return Watch([*signals, *loss], state.model, probe=probe, seed=seeds.order)


def _only_loss(state: TrainState) -> Watch:
    return Watch([TrainLoss()], state.model)


def _check_signals(trigger: Trigger, signals: Sequence[Signal]) -> None:
    known = [signal.name for signal in signals]
    for missing in sorted(trigger.needs.difference(known)):
        raise SignalError(
            f"{trigger} needs the signal {missing!r}, which is not measured: add it to the signals"
            f"{did_you_mean(missing, known)}"
        )


def _go_on(run: AutomaticRun, paused: Paused, data: Dataset) -> None:
    tensors, meta = paused
    run.state = unpack(under("state", tensors), meta["state"], run.state, data.example)
    run.memory, run.rows = meta["memory"], list(meta["rows"])
    if meta["pruned"] is not None:
        run.pruned = Moment(meta["pruned"], run.state.moment.steps_per_epoch)
        run.watch = _only_loss(run.state)
    run.watch.restore(under("watch", tensors), meta["watch"])
