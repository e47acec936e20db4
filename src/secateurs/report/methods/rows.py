"""What the report of a study of methods is given: plain rows of its runs, as they came from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import DataError, did_you_mean
from secateurs.report.rows import DenseRun, Provenance, Summarised


@dataclass(frozen=True)
class MethodRun(Summarised):
    """One cell of the study: a method's mask at one density, moment and seed, and what the masked network trained to.

    Attributes:
        moment, epoch: where the mask was laid on the weights. ``moment`` may be a trigger's name: ``epoch`` is then
            where it fired on this seed.
        ablated: the mask was shuffled, or the weights drawn anew, after the mask was found: ``mask``
            are then the facts of another network than the one that was trained.
        mask: facts of the mask as it was found (``density``, ``layer_densities``, ``empty_layers``,
            ``unit_sparsity``, ``emptied``, or ``diverged`` alone); of channels also ``units`` (by group, how many are
            left and were there) and ``node_density``; empty where there is no result.
        summary: as in :class:`~secateurs.report.PrunedRun`, with the facts of the mask that was laid
            on; empty where nothing was trained, or there is no result.
        scored_epoch: where the mask was found, when that is not where it was laid on; of several one after the other
            the first one's.
        epochs_after: how long it was trained after that; None when that is not known.
        how: what pruning does: ``"masks"`` (unstructured) or ``"channels"`` (structured).
        counted: of what ``density`` is a share: ``"weights"`` or ``"channels"``.
        stages: where it was pruned in several rounds, the epoch of each and the density from there on.
        costs: what the network costs, and the whole cell took, as :meth:`~secateurs.measure.Costs.to_json` says it,
            with ``density_area`` of all that was trained (in epochs); empty where that is not known.
        rows: a row for each epoch after pruning: ``epoch``, ``train_accuracy``, ``validation_accuracy``.
        levels: in how many levels the mask was found, each trained to the end; 0: it was not.
        at_bound: the trigger that chose the moment fired only because its upper bound was reached.
    """

    setting: str
    method: str
    density: float
    moment: str
    epoch: float
    seed: int
    ablated: bool = False
    mask: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    scored_epoch: float | None = None
    epochs_after: float | None = None
    how: str = "masks"
    counted: str = "weights"
    stages: Sequence[tuple[float, float]] = ()
    costs: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    levels: int = 0
    at_bound: bool = False

    @property
    def broke(self) -> str | None:
        """The moment after which this run, or the dense run before it, diverged; None for one that went well."""
        found = self.mask.get("diverged")
        return self.diverged if self.diverged is not None or found is None else str(found)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts of the mask that was laid on the weights; empty when they are not known."""
        own = self.summary if self.ablated or "layer_densities" not in self.mask else self.mask
        return own if "layer_densities" in own else {}


@dataclass(frozen=True)
class NeverFired:
    """A seed on which a method's trigger never fired: there is nothing pruned.

    ``diverged``: after which moment the dense run did so that it was to be judged on; None: it ran to its end.
    """

    setting: str
    method: str
    density: float
    seed: int
    diverged: str | None = None

    @property
    def of(self) -> tuple[str, str, float]:
        """What would have been pruned."""
        return self.setting, self.method, self.density


@dataclass(frozen=True)
class ReportedResult:
    """An accuracy (a fraction) that ``source`` reports: of a method at a density, or of the dense network (None)."""

    setting: str
    source: str
    method: str | None
    density: float | None
    accuracy: float


@dataclass(frozen=True)
class MethodStudy:
    """A whole study of methods.

    Attributes:
        methods: each method's name and what it does in words, in the order of the report.
        figure: the paper's figure or table that the study regenerates.
        base: a method that is another one with a change, and that other one: they are compared pairwise.
        change: what such a method changes, in words; by its name when left out.
        pinned: methods that are pruned at a moment of their own, whatever moments are tried: they stand
            beside the others at each moment, as a benchmark (magnitude pruning after training, say).
        triggered: of the pinned ones those that a trigger tells when to prune, and what it waits for, in words. Their
            moment is part of the method, so that they compete with the others.
        competing: of the pinned ones others that compete with the rest all the same.
        never: where such a trigger never fired, or had no dense run to fire in.
        random: methods that prune at random: what they match is trivial.
        trained: false when only masks were asked for.
        chance: the accuracy (a fraction) of guessing, by setting, where it is known.
        scale: the scale that was run, where it is not the paper's.

    Raises:
        DataError: a run given twice, a trained run without its dense run, or a name of a method that
            is not in ``methods``.
    """

    title: str
    dense: Sequence[DenseRun]
    runs: Sequence[MethodRun]
    methods: Mapping[str, str]
    reported: Sequence[ReportedResult] = ()
    provenance: Provenance = field(default_factory=Provenance)
    citation: str = ""
    notes: Sequence[str] = ()
    figure: str = ""
    base: Mapping[str, str] = field(default_factory=dict)
    change: Mapping[str, str] = field(default_factory=dict)
    pinned: Collection[str] = ()
    triggered: Mapping[str, str] = field(default_factory=dict)
    competing: Collection[str] = ()
    never: Sequence[NeverFired] = ()
    random: Collection[str] = ()
    trained: bool = True
    chance: Mapping[str, float] = field(default_factory=dict)
    scale: str = ""

    def __post_init__(self) -> None:
        roots = Counter((run.setting, run.seed) for run in self.dense)
        runs = Counter((run.setting, run.method, run.density, run.moment, run.seed) for run in self.runs)
        for key, count in [*roots.items(), *runs.items()]:
            if count > 1:
                raise DataError(f"study {self.title!r}: run {key} is given {count} times: give each run once")
        for run in self.runs:
            if self.trained and (run.setting, run.seed) not in roots:
                where = f"study {self.title!r}: {run.setting!r}, seed {run.seed}, {run.method}"
                raise DataError(f"{where}: its dense run is missing: give it too")
        for name in self._names():
            if name not in self.methods:
                raise DataError(f"study {self.title!r}: unknown method {name!r}{did_you_mean(name, self.methods)}")

    def _names(self) -> Iterator[str]:
        yield from (run.method for run in self.runs)
        yield from (each.method for each in self.reported if each.method is not None)
        for variant, plain in self.base.items():
            yield from (variant, plain)
        yield from (
            *self.change,
            *self.pinned,
            *self.triggered,
            *self.competing,
            *self.random,
            *(each.method for each in self.never),
        )

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, in the order given."""
        return tuple(dict.fromkeys([*(run.setting for run in self.dense), *(run.setting for run in self.runs)]))

    @property
    def plain(self) -> tuple[str, ...]:
        """The methods that are not a change of another one of the study."""
        return tuple(name for name in self.methods if name not in self.base)

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The methods that stand beside the others at each moment and do not compete with them."""
        return tuple(name for name in self.pinned if name not in {*self.triggered, *self.competing})

    def change_of(self, variant: str) -> str:
        """What a variant changes, in words."""
        return self.change.get(variant, variant)
