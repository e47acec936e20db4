"""A pruner for anybody's training loop: it watches, decides when, and keeps the mask in force."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import (
    Batch,
    Examples,
    Moment,
    PruningError,
    ScoreFn,
    Signal,
    Spec,
    Task,
    Trigger,
    derive_seed,
)
from secateurs.how import Enforcement, Mask, apply, enforce
from secateurs.pruner import checks
from secateurs.pruner import state as states
from secateurs.pruner.after import Savings, savings
from secateurs.pruner.event import PruneEvent
from secateurs.pruner.finding import Finding, Guard
from secateurs.pruner.measuring import Measuring, Sampling
from secateurs.pruner.progress import Progress
from secateurs.pruner.ranks import Ranks
from secateurs.pruner.unstructured import How, Unstructured
from secateurs.pruner.wrappers import bare, laid_on, layers, undisturbed

_A_TENTH = Unstructured()


class EarlyPruner:
    """Prunes a network at the right moment of the run that trains it, in a loop that is there already.

    At each epoch's end the signals are measured and the trigger is asked; once it fires, weights
    are scored, the best are kept, and the others stay at zero for the rest of training, whatever
    the optimiser does. Momentum goes on, zeroed where weights were dropped. Learning rate and
    everything else stay the loop's. Measuring leaves no trace, the global random state included.

    Gradient accumulation, autocast, GradScaler, parameter groups, torch.compile and
    DistributedDataParallel are fine: ranks measure their own examples, and decide together.

    Args:
        model: as it is trained, wrapped or not.
        optimizer: the one that trains it, built from its parameters.
        task: what the network is for: ``Classification(num_classes)``, or an object of your own
            with the methods of ``core.Task``.
        what: a score by name, as a Spec with options, or a function: which weights matter.
        how: what becomes of the scores: how many weights are left, and where they compete.
        when: the trigger. It is asked at epoch ends only; signals that it needs are measured. None: the
            :func:`~secateurs.when.default_trigger` of a run of ``epochs``, which is for random initial
            weights; for pretrained ones see :func:`~secateurs.when.fine_tuning_trigger`.
        epochs: how many the loop trains. When they are over and nothing was pruned, a warning says why.
        data: training examples, best unaugmented, to measure and score on: a set of examples
            (``core.Examples``; a uniform sample is taken), or an iterable of batches (its first
            ones). None: a uniform sample of the first epoch's examples as the loop saw them, that
            is, augmented where it augments. Nothing is kept where no signal or score asks for it.
        act: False only observes: the run stays as it is without a pruner, to the bit.
        signals: to be logged beside those that the trigger needs, or in their place, with settings of their own.
        examples: how many are kept to measure on, at most; on the device of the batches.
        examples_per_class: of those, how many a score sees, at most, of each class.
        seed: of everything random here: the sample, sampled labels, random scores.
        guard: asked with a pruned copy of the model before it is pruned. False puts it off to the
            next epoch's end. On several ranks each asks its own, and all must agree.
        keep_before: keep a copy on the CPU of the state dicts from just before, as ``before``.

    Attributes:
        model: the model as it was given; masks leave it the same object.
        before: ``{"model": ..., "optimizer": ...}``, with ``keep_before``; None before pruning.

    Raises:
        PruningError: for several optimisers, one that does not hold the weights, a network that is
            pruned already, scores or settings that do not exist, a target out of reach, and no trigger nor epochs.
        SignalError: when the trigger needs what is not, or cannot be, measured.

    >>> import torch
    >>> from secateurs.when import At
    >>> from secateurs.zoo import Classification
    >>> net = nn.Linear(4, 2)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> pruner = EarlyPruner(net, sgd, Classification(2), how=Unstructured(0.5), when=At("2ep"))
    >>> for epoch in range(3):
    ...     batch = (torch.ones(3, 4), torch.tensor([0, 1, 1]))
    ...     output = net(batch[0])
    ...     nn.functional.cross_entropy(output, batch[1]).backward()
    ...     sgd.step()
    ...     _ = pruner.step(batch, output)
    ...     if event := pruner.epoch_end():
    ...         print(event)
    pruned at epoch 2: 4 of 8 weights are left (50.00%); why: the moment 2ep was reached
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        task: Task,
        *,
        what: str | Spec | ScoreFn = "magnitude",
        how: How = _A_TENTH,
        when: Trigger | None = None,
        epochs: int | None = None,
        data: Examples | Iterable[Any] | None = None,
        act: bool = True,
        signals: Sequence[Signal] = (),
        examples: int = 1024,
        examples_per_class: int = 10,
        seed: int = 0,
        guard: Guard | None = None,
        keep_before: bool = False,
    ) -> None:
        checks.check_counts(examples, examples_per_class)
        wrapped = layers(model)
        self.model, self._bare, self._optimizer = model, wrapped[-1], optimizer
        self._act, self._guard, self._keep_before, self._per_class = act, guard, keep_before, examples_per_class
        how.check(self._bare)
        trigger = checks.trigger_for(when, epochs)
        self._signals = checks.signals_for(trigger, signals, task)
        checks.check_optimizer(self._bare, optimizer, how.names(self._bare))
        checks.check_parallel(model, wrapped)
        self._ranks = Ranks(wrapped)
        # Ranks draw samples and labels of their own; what they must agree upon comes from the first.
        seed = derive_seed("rank", seed, self._ranks.rank) if self._ranks.rank else seed
        self._finding = Finding(what, how, task, self._ranks, seed, checks.needs_data(what))
        needed = (
            self._finding.needs_data or how.reads_examples or any("probe" in signal.reads for signal in self._signals)
        )
        self._sampling = Sampling(needed, data, examples, seed)
        self._enforcement: Enforcement | None = None
        self._progress, self._epochs = Progress(trigger), epochs
        self._measuring: Measuring | None = self._new_measuring()
        self.before: dict[str, Any] | None = None

    def step(self, batch: Batch | tuple[Tensor, Tensor] | object, output: Tensor) -> PruneEvent | None:
        """Tell that the optimiser has stepped, once for each ``optimizer.step()``; micro-batches do not count.

        It costs what signals cost that look at steps, in the first epoch the copying of examples, and
        nothing once the network is pruned. It never waits for the device.

        Args:
            batch: the step's, ``(inputs, targets)``; of several micro-batches, the last.
            output: what the model gave for it.
        """
        clock, measuring = self._progress.clock, self._measuring
        clock.step(waits=measuring is not None)
        if measuring is not None:
            measuring.step(batch, output, clock.now)
        return None

    def epoch_end(self) -> PruneEvent | None:
        """Tell that an epoch of training is over: measure, ask the trigger, and prune when it fires.

        Returns:
            The event, when the network was pruned, or would have been: at most once in a run.

        Raises:
            PruningError: without a ``step()`` since the last one, or when scores are not finite.
            SignalError: when a signal lacks what it needs.
        """
        now, measuring = self._progress, self._measuring
        moment = now.clock.end_epoch()
        if measuring is None:
            return None
        if not now.log:
            checks.warn_of_zeros(self._bare, self._finding.how.names(self._bare))
        with undisturbed(self._bare):
            values = self._ranks.mean_row(measuring.epoch_end(moment))
            now.log.append((moment, values))
            if now.event is not None:
                return None
            if now.fired is None and self._ranks.agree(now.decide(moment, values)):
                now.fired = moment
            mask = None if now.fired is None or not self._act else self._prune(measuring)
        if now.fired is not None and (mask is not None or not self._act):
            now.event = PruneEvent(moment, now.fired, self._act, mask, now.why())
        elif now.clock.epochs == self._epochs:
            warnings.warn(f"EarlyPruner: the {self._epochs} epochs are over: {now.report()}", stacklevel=2)
        return now.event

    @property
    def mask(self) -> Mask | None:
        """What is left, by the parameters' plain names; None before pruning."""
        return None if self.event is None else self.event.mask

    @property
    def pruned(self) -> bool:
        """Whether the network is pruned."""
        return self.mask is not None

    @property
    def event(self) -> PruneEvent | None:
        """What ``epoch_end`` has returned; None before."""
        return self._progress.event

    @property
    def log(self) -> tuple[tuple[Moment, Mapping[str, Any]], ...]:
        """The measurements up to pruning, for ``replay(trigger, log)``; ``seconds/<signal>`` is what one has cost."""
        return tuple(self._progress.log)

    def report(self) -> str:
        """Where the pruner stands, in a few words: pruned, or what it waits for and what it saw."""
        return self._progress.report()

    def savings(self) -> Savings:
        """What the mask saves: weights and bytes, and no time; a PruningError before there is one."""
        return savings(self._bare, self._the_mask("savings"), self._progress.times)

    def estimate(self) -> Savings:
        """What pruning now would leave and save; nothing is changed by asking. On several ranks all must ask.

        It costs what scoring costs. Multiply-adds are told where a score, a signal or a target has examples kept.

        Raises:
            PruningError: when the score needs examples and none was seen yet, or as pruning would.
        """
        if self._measuring is None:
            return self.savings()
        with undisturbed(self._bare):
            return savings(self._bare, *self._finding.mask(self._bare, self._measuring.to_score(self._per_class)))

    def apply(self, model: nn.Module) -> None:
        """Put the mask on another copy of the model (an average of its weights, EMA), once; not with ``act=False``.

        Raises:
            PruningError: when the network is not pruned, or the other one has other parameters.
        """
        if self.event is not None and not self.event.acted:
            return
        other = bare(model)
        apply(other, laid_on(other, self._the_mask("apply")))

    def state_dict(self) -> dict[str, Any]:
        """What to store beside the model's and the optimiser's state dicts: ``tensors``, flat, and ``meta``, JSON.

        The tensors are copies, fit for safetensors, without ``data`` and ``before``. On several ranks each
        has its own examples; any rank's state serves all.
        """
        tensors: dict[str, Tensor] = {} if self.mask is None else self.mask.to_tensors()
        meta = {"version": states.VERSION, "settings": self._settings(), "progress": self._progress.to_json()}
        if self._measuring is not None:
            seen, meta["measuring"] = self._measuring.state()
            tensors |= seen
        return {"tensors": tensors, "meta": meta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, to the same bits; a mask is in force again.

        Load it into a pruner built with the same arguments. Whether the model and the optimiser
        are loaded before or after does not matter.

        Raises:
            PruningError: when it is no such state, or of a pruner built otherwise.
        """
        states.check_fit(state, self._settings())
        tensors, meta = state["tensors"], state["meta"]
        mask = Mask.from_tensors(tensors) if any(name.startswith("mask/") for name in tensors) else None
        measuring = None
        if mask is None:
            measuring = self._new_measuring()
            measuring.restore(tensors, meta["measuring"])
        if self._enforcement is not None:
            self._enforcement.remove()
        self._measuring, self._enforcement = measuring, None
        self._progress = Progress.from_json(self._progress.trigger, meta["progress"], mask)
        if mask is not None:
            self._put_in_force(mask)

    def _prune(self, measuring: Measuring) -> Mask | None:
        """Find the mask and put it in force, unless the guard says no; a failure leaves everything as it was."""
        checks.check_optimizer(self._bare, self._optimizer, self._finding.how.names(self._bare))
        mask, self._progress.times = self._finding.mask(self._bare, measuring.to_score(self._per_class))
        if not self._finding.passes(self._guard, self._bare, mask):
            return None
        if self._keep_before:
            self.before = states.on_cpu({"model": self._bare.state_dict(), "optimizer": self._optimizer.state_dict()})
        self._put_in_force(mask)
        checks.warn_of_empty(mask)
        return mask

    def _put_in_force(self, mask: Mask) -> None:
        self._enforcement = enforce(self._bare, self._optimizer, laid_on(self._bare, mask))
        self._measuring = None  # nothing is measured any more: let go of the examples

    def _new_measuring(self) -> Measuring:
        return Measuring(self._bare, self._finding.task, self._signals, self._sampling)

    def _the_mask(self, asked: str) -> Mask:
        if self.mask is None:
            raise PruningError(f"{asked}: the network is not pruned yet: {self.report()}")
        return self.mask

    def _settings(self) -> dict[str, Any]:
        return states.settings_of(self._progress.trigger, [signal.name for signal in self._signals], self._act)
