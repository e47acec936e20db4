"""A pruner for anybody's training loop: it watches, decides when, and prunes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Batch, Examples, Keep, Moment, PruningError, Signal, Task, Trigger, derive_seed
from secateurs.how import Enforcement, Mask
from secateurs.pruner import checks
from secateurs.pruner import state as states
from secateurs.pruner.after import Savings
from secateurs.pruner.clock import watch_end
from secateurs.pruner.event import PruneEvent
from secateurs.pruner.finding import Finding, Guard
from secateurs.pruner.measuring import Measuring, Sampling
from secateurs.pruner.outcome import How, Outcome, What
from secateurs.pruner.progress import Progress
from secateurs.pruner.ranks import Ranks
from secateurs.pruner.renewing import Rewrap, prepare, renewed
from secateurs.pruner.saved import ChannelSavings
from secateurs.pruner.unstructured import Unstructured
from secateurs.pruner.wrappers import bare, layers, undisturbed

_A_TENTH = Unstructured()
_FEW = 8  # examples, where one is needed to call the network with and nothing is measured


class EarlyPruner:
    """Prunes a network at the right moment of the run that trains it, in a loop that is there already.

    At each epoch's end the signals are measured and the trigger is asked (never of the untrained network, which
    recipes measure at epoch 0: Peak's ``warm_up=1`` passes over epoch 1's value, ``At(0)`` fires then); once it
    fires, the best weights are kept. With :class:`Unstructured` the others stay at zero for the rest of training,
    whatever the optimiser does; with :class:`Channels` whole channels are removed, so that the rest of training is
    cheaper. Momentum goes on for what is left. Learning rate and all else stay the loop's. Measuring leaves no trace,
    the global random state included.

    Gradient accumulation, autocast, GradScaler, parameter groups, :class:`~secateurs.SAM` (give it or its optimiser),
    torch.compile and DistributedDataParallel are fine: ranks measure their own examples, and decide together.

    Args:
        model: as it is trained, wrapped or not.
        optimizer: the one that trains it, built from its parameters.
        task: what it is for: ``Classification(num_classes)``, or an object with the methods of ``core.Task``.
        what: a score by name, as a Spec with options, or a function: which weights matter (``SCORES``), or which
            channels (``CHANNEL_SCORES``). None: magnitude, of channels filter_norm.
        how: what becomes of the scores: ``Unstructured``, ``Channels``; how much is left, and where it competes.
        when: the trigger. It is asked at epoch ends only; signals that it needs are measured. None: the
            :func:`~secateurs.when.default_trigger` of a run of ``epochs``, for random initial weights;
            for pretrained ones see :func:`~secateurs.when.fine_tuning_trigger`.
        epochs: how many the loop trains. When they are over and nothing was pruned, a warning says why.
        data: training examples, best unaugmented, to measure and score on: a set of examples (``core.Examples``; a
            uniform sample is taken), or an iterable of batches (its first ones). None: a uniform sample of the first
            epoch's examples as the loop saw them. Nothing is kept where nothing asks for it.
        rewrap: wraps the bare network anew once channels are removed, for ``pruner.model``, which the loop has to go
            on with. DistributedDataParallel needs it, torch.compile does not.
        act: False only observes: the run stays as it is without a pruner, to the bit.
        signals: to be logged beside those that the trigger needs, or in their place, with settings of their own.
        examples: how many are kept to measure on, at most; on the device of the batches.
        examples_per_class: of those, how many a score sees, at most, of each class.
        seed: of everything random here: the sample, sampled labels, random scores.
        guard: asked with a pruned copy of the model before it is pruned. False puts it off to the next epoch's end.
            On several ranks each asks its own, and all must agree.
        keep_before: keep a copy on the CPU of the dense state dicts from just before, as ``before``.

    Attributes:
        model: the model as it was given, the same object, unless ``rewrap`` gave a new one.
        before: ``{"model": ..., "optimizer": ...}``, with ``keep_before``; None before pruning.

    Raises:
        PruningError: for several optimisers, one that does not hold the weights, a network that is pruned already,
            scores or settings that do not exist, a target out of reach, and no trigger nor epochs.
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
        what: What | None = None,
        how: How = _A_TENTH,
        when: Trigger | None = None,
        epochs: int | None = None,
        data: Examples | Iterable[Any] | None = None,
        rewrap: Rewrap | None = None,
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
        self._act, self._guard, self._keep_before, self._rewrap = act, guard, keep_before, rewrap
        checks.check_how(how)
        how.check(self._bare)
        trigger = checks.trigger_for(when, epochs)
        self._signals = checks.signals_for(trigger, signals, task)
        checks.check_optimizer(self._bare, optimizer, how.names(self._bare))
        checks.check_parallel(model, wrapped)
        if how.cuts and act:
            prepare(wrapped, rewrap)
        self._ranks = Ranks(wrapped)
        # Ranks draw samples and labels of their own; what they must agree upon comes from the first.
        own = derive_seed("rank", seed, self._ranks.rank) if self._ranks.rank else seed
        chosen = how.default_score if what is None else what
        self._finding = Finding(chosen, how, task, self._ranks, own, examples_per_class)
        needed = self._finding.needs_data or any("probe" in signal.reads for signal in self._signals)
        self._sampling = Sampling(needed or how.reads_examples, data, examples if needed else _FEW, own)
        self._outcome: Outcome | None = None
        self._enforcement: Enforcement | None = None
        self._progress, self._epochs = Progress(trigger), epochs
        others: dict[str, Any] = {"act": act, "examples": examples, "examples_per_class": examples_per_class}
        others |= {"seed": seed, "network": checks.extent(self._bare, how.names(self._bare))}
        self._settings = states.settings_of(when, epochs, self._signals, chosen, how, data, others)
        self._measuring: Measuring | None = self._new_measuring()
        self.before: dict[str, Any] | None = None
        if act and data is not None:
            self._finding.check_target(self._bare, self._measuring)
        watch_end(self, self._progress.clock)
        self._zeros = checks.watch_zeros(self, optimizer, self._bare, how.names(self._bare))

    def step(self, batch: Batch | tuple[Tensor, Tensor] | object, output: Tensor) -> PruneEvent | None:
        """Tell that the optimiser has stepped, once for each ``optimizer.step()``; micro-batches do not count.

        It costs what signals cost that look at steps, in the first epoch the copying of examples, and
        nothing once the network is pruned. It never waits for the device.

        Args:
            batch: the step's, ``(inputs, targets)``; of several micro-batches, the last.
            output: what the model gave for it.
        """
        clock, measuring = self._progress.clock, self._measuring
        self._zeros.remove()
        clock.step(waits=measuring is not None, pass_of_data=None if measuring is None else measuring.pass_of_data)
        if measuring is not None:
            measuring.step(batch, output, clock.now)
        return None

    def epoch_end(self) -> PruneEvent | None:
        """Tell that an epoch of training is over: measure, ask the trigger, and prune when it fires.

        The event is given when the network was pruned, or would have been: at most once in a run.

        Raises:
            PruningError: without a ``step()`` since the last one, or when scores are not finite.
            SignalError: when a signal lacks what it needs.
        """
        now, measuring = self._progress, self._measuring
        moment = now.clock.end_epoch()
        if measuring is None:
            return None
        with undisturbed(self._bare):
            if not now.log and self._act:
                self._finding.rehearse(self._bare, self._optimizer, measuring)
            values = self._ranks.mean_row(measuring.epoch_end(moment))
            now.log.append((moment, values))
            if now.event is not None:
                return None
            if now.fired is None and self._ranks.agree(now.decide(moment, values)):
                now.fired = moment
            if now.fired is not None and (self._prune(measuring) if self._act else True):
                now.end(moment, self._outcome)
        if self._outcome is not None:
            self._outcome.warn()
        elif now.event is None and now.clock.epochs == self._epochs:
            warnings.warn(f"EarlyPruner: the {self._epochs} epochs are over: {now.report()}", stacklevel=2)
        return now.event

    @property
    def mask(self) -> Mask | None:
        """The weights that are left, by the parameters' plain names; None before pruning, and with channels."""
        return None if self._outcome is None else self._outcome.mask

    @property
    def keep(self) -> Keep | None:
        """The channels that are left of those of the dense network; None before pruning, and with a mask."""
        return None if self._outcome is None else self._outcome.keep

    @property
    def pruned(self) -> bool:
        """Whether the network is pruned."""
        return self._outcome is not None

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

    def savings(self) -> Savings | ChannelSavings:
        """What pruning saves: of a mask weights and bytes, and no time; a PruningError before."""
        return self._pruned("savings").savings(self._bare)

    def estimate(self) -> Savings | ChannelSavings:
        """What pruning now would leave and save, at the cost of scoring. On several ranks all must ask.

        Raises:
            PruningError: when examples are needed and none was seen yet, or as pruning would.
        """
        if self._measuring is None:
            return self.savings()
        with undisturbed(self._bare):
            return self._finding.outcome(self._bare, self._measuring).savings(self._bare)

    def apply(self, model: nn.Module) -> None:
        """Prune another dense copy of the model (an average of its weights, EMA), once; not with ``act=False``.

        Raises:
            PruningError: when the network is not pruned, or the other one has other parameters.
        """
        if self.event is None or self.event.acted:
            self._pruned("apply").apply(bare(model))

    def state_dict(self) -> dict[str, Any]:
        """What to store beside the model's and the optimiser's state dicts: ``tensors``, flat, and ``meta``, JSON.

        The tensors are copies, fit for safetensors, without ``data`` and ``before``. On several ranks each has its
        own examples: to go on to the same bits, every rank stores and loads its own state.
        """
        self._progress.clock.warn_of_no_epoch("state_dict()")
        meta = {"version": states.VERSION, "settings": self._settings, "progress": self._progress.to_json()}
        meta["rank"] = self._ranks.rank
        tensors, meta["outcome"] = ({}, None) if self._outcome is None else self._outcome.state()
        seen, meta["measuring"] = ({}, None) if self._measuring is None else self._measuring.state()
        return {"tensors": {**tensors, **seen}, "meta": meta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, to the same bits; a mask is in force again, channels are removed.

        Load it into a pruner built with the same arguments; once it has pruned, those for the trigger and for measuring
        no longer matter. With another rank's state the run measures on that one's examples. With a mask, the model and
        the optimiser may be loaded before or after. With :class:`Channels`, load the pruner **first**: it cuts the
        dense network that it was built with (and renews ``pruner.model``), into which the states of the cut one fit.

        Raises:
            PruningError: when it is no such state, of a pruner or a network built otherwise, or the order is wrong.
        """
        states.check_fit(state, self._settings)
        tensors, meta = state["tensors"], state["meta"]
        with undisturbed(self._bare):
            with states.complete():
                outcome = self._finding.restored(self._outcome, self._bare, self._optimizer, tensors, meta)
                measuring = None if outcome is not None else self._new_measuring()
                if measuring is not None:
                    measuring.restore(tensors, meta["measuring"])
                progress = Progress.from_json(self._progress.trigger, meta["progress"], outcome)
                other = meta["rank"] if measuring is not None and "reservoir" in meta["measuring"] else self._ranks.rank
            # Whatever is refused was refused by now, or is as the mask is put in force: nothing has changed till then.
            before = self._enforcement
            if outcome is None:
                self._outcome = self._enforcement = None
            elif outcome is not self._outcome:
                self._put_in_force(outcome)
            if before is not None:
                before.remove()
        self._measuring = measuring
        self._progress.take(progress)
        self._ranks.warn_of_another(other)

    def _prune(self, measuring: Measuring) -> bool:
        """Find what is left and put it in force, unless the guard says no; a failure leaves everything as it was."""
        checks.check_optimizer(self._bare, self._optimizer, self._finding.how.names(self._bare))
        outcome = self._finding.outcome(self._bare, measuring)
        if not self._finding.passes(self._guard, self._bare, outcome):
            return False
        if self._keep_before:
            self.before = states.on_cpu({"model": self._bare.state_dict(), "optimizer": self._optimizer.state_dict()})
        self._put_in_force(outcome)
        return True

    def _put_in_force(self, outcome: Outcome) -> None:
        self._enforcement = outcome.enforce(self._bare, self._optimizer)
        self._outcome = outcome
        self._measuring = None  # nothing is measured any more: let go of the examples
        if self._finding.how.cuts:
            self.model = renewed(self.model, self._rewrap)

    def _new_measuring(self) -> Measuring:
        return Measuring(self._bare, self._finding.task, self._signals, self._sampling)

    def _pruned(self, asked: str) -> Outcome:
        if self._outcome is None:
            raise PruningError(f"{asked}: the network is not pruned yet: {self.report()}")
        return self._outcome
