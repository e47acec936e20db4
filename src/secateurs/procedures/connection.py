"""How two copies of a pruned network are connected, and how alike their outputs are (P4 section 2.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from secateurs.core import (
    POORLY_CONNECTED,
    SIMILAR_FROM,
    MeasureError,
    Regime,
    TrainState,
    generator_for,
    regime,
    shares,
)
from secateurs.measure import (
    CKA_SAMPLES,
    Barrier,
    bootstrap_cka,
    bootstrap_lmc,
    cka,
    error_barrier,
    keeps_statistics,
    outputs,
)
from secateurs.procedures.soundness import unbroken
from secateurs.zoo import Dataset

DIVERGED = "a copy diverged"
"""Why copies are not compared."""


@dataclass(frozen=True)
class Comparing:
    """How two copies are compared; the defaults are P4's.

    Attributes:
        points: of LMC on the way between them, ends included.
        samples: training examples that CKA is taken over; all of them where there are fewer.
        softmax: CKA is taken of probabilities, not of logits.
        resamples: how often the examples are resampled, for LMC and CKA each, to see how sure these are.
        seed: of the examples drawn: the same for every pair that is compared.
        batch_size: how many examples are looked at together.

    Raises:
        MeasureError: when there are fewer than 0 resamples.
    """

    points: int = 11
    samples: int = CKA_SAMPLES
    softmax: bool = True
    resamples: int = 0
    seed: int = 0
    batch_size: int = 512

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise MeasureError(f"Comparing: resamples: 0, for none, or more, got {self.resamples}")


@dataclass(frozen=True)
class Connection:
    """How two copies are connected, and how alike their outputs are.

    Attributes:
        barrier: what is met on the straight way between them; None where a copy diverged.
        cka: similarity of their outputs (P4 eq. 2), in [0, 1]; None where there is none.
        cka_undefined: why there is none, in words.
        diverged: the places, 0 and 1, of the copies that diverged.
        resampled_lmc, resampled_cka: of each resample of the examples; None where CKA is undefined.
        passes: how often the examples were passed through a network: the training set for ``"recalibration"`` and
            ``"evaluation"``, the samples for ``"outputs"``.
    """

    barrier: Barrier | None
    cka: float | None
    cka_undefined: str | None = None
    diverged: tuple[int, ...] = ()
    resampled_lmc: tuple[float, ...] = ()
    resampled_cka: tuple[float | None, ...] = ()
    passes: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def lmc(self) -> float | None:
        """Linear mode connectivity (P4 eq. 1), in [-1, 1], negative = barrier; None where a copy diverged."""
        return None if self.barrier is None else self.barrier.lmc

    def regime(self, threshold: float = POORLY_CONNECTED, similar_from: float = SIMILAR_FROM) -> Regime | None:
        """The regime they are in (:func:`~secateurs.core.regime`); None where it cannot be told."""
        return regime(self.lmc, self.cka, threshold=threshold, similar_from=similar_from)

    def shares(
        self, threshold: float = POORLY_CONNECTED, similar_from: float = SIMILAR_FROM
    ) -> dict[Regime, float] | None:
        """The share of each regime among the resamples: how sure it is, as far as the examples go.

        They sum to less than 1 where CKA is undefined for some. None without resamples: none were asked for
        (``Comparing.resamples``), or a copy diverged.
        """
        if not self.resampled_lmc:
            return None
        pairs = zip(self.resampled_lmc, self.resampled_cka, strict=True)
        return shares(regime(lmc, alike, threshold=threshold, similar_from=similar_from) for lmc, alike in pairs)


@dataclass(frozen=True)
class Similarity:
    """How alike the outputs of two copies are.

    Attributes:
        cka: P4 eq. 2, in [0, 1]; None where there is none.
        undefined: why there is none, in words.
        resampled: of each resample of the examples; None where CKA is undefined.
    """

    cka: float | None
    undefined: str | None = None
    resampled: tuple[float | None, ...] = ()


AS_IN_P4 = Comparing()


def connected(one: TrainState, other: TrainState, data: Dataset, how: Comparing = AS_IN_P4) -> Connection:
    """Compare two copies: LMC over the whole training set, CKA over a part of it, both unaugmented.

    The copies stay as they are. Batch norms have statistics of their own at each point of the way, ends included.
    Where CKA is undefined it is said why; copies that diverged are named, and not compared.

    Raises:
        MeasureError: when the copies are of different architectures or under different masks, there are fewer than
            two points, or the task counts no correct answers.
        TrainingError: when a copy was consumed.

    >>> from secateurs.core import Spec
    >>> from secateurs.procedures import MaskSettings, find_mask, retrained, two_copies
    >>> from secateurs.train import TrainSettings, begin
    >>> from secateurs.zoo import digits
    >>> data, training = digits(train_examples=200), TrainSettings(epochs=2, lr=0.05)
    >>> start = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, training, init_seed=0)
    >>> pruned = retrained(start, find_mask(start.model, data, MaskSettings(density=0.5)), training, data)
    >>> found = connected(*two_copies(pruned, data, training), data, Comparing(resamples=100))
    >>> found.lmc == found.barrier.lmc, 0 < found.cka < 1, found.passes
    (True, True, {'recalibration': 0, 'evaluation': 11, 'outputs': 2})
    >>> round(sum(found.shares().values()), 6)
    1.0
    """
    for copy in (one, other):
        copy.check()
    lost = tuple(place for place, copy in enumerate((one, other)) if not unbroken(copy))
    if lost:
        return Connection(None, None, DIVERGED, lost)
    barrier, lmcs = way_between(one, other, data, how)
    alike = similarity(one, other, data, how)
    return Connection(
        barrier, alike.cka, alike.undefined, (), lmcs, alike.resampled, passes_of_comparing(one.model, how.points)
    )


def way_between(
    one: TrainState, other: TrainState, data: Dataset, how: Comparing = AS_IN_P4
) -> tuple[Barrier, tuple[float, ...]]:
    """The first half of :func:`connected`: the straight way between two copies, and LMC of each resample.

    Raises:
        MeasureError: as :func:`connected`, and when a copy is not finite.
        TrainingError: when a copy was consumed.
    """
    for copy in (one, other):
        copy.check()
    barrier = error_barrier(
        one.model,
        one,
        other,
        data.task,
        data.train,
        points=how.points,
        recalibrate_bn=True,
        each_example=how.resamples > 0,
        batch_size=how.batch_size,
    )
    if barrier.correct is None:
        return barrier, ()
    drawn = bootstrap_lmc(barrier.correct, how.resamples, generator=generator_for("LMC", how.seed))
    return barrier, tuple(drawn.tolist())


def similarity(one: TrainState, other: TrainState, data: Dataset, how: Comparing = AS_IN_P4) -> Similarity:
    """The second half of :func:`connected`: CKA of two copies, or why there is none, and CKA of each resample.

    Raises:
        TrainingError: when a copy was consumed.
    """
    for copy in (one, other):
        copy.check()
    if not (unbroken(one) and unbroken(other)):
        return Similarity(None, DIVERGED)
    examples = data.train.probe(how.samples, how.seed)

    def said(copy: TrainState) -> Tensor:
        return outputs(copy.model, data.task, examples, samples=None, softmax=how.softmax, batch_size=how.batch_size)

    x, y = said(one), said(other)
    try:
        alike = cka(x, y)
    except MeasureError as error:
        return Similarity(None, str(error), (None,) * how.resamples)
    if not how.resamples:
        return Similarity(alike)
    drawn = bootstrap_cka(x, y, how.resamples, generator=generator_for("CKA", how.seed)).tolist()
    return Similarity(alike, None, tuple(None if math.isnan(value) else value for value in drawn))


def similar(one: TrainState, other: TrainState, data: Dataset, how: Comparing = AS_IN_P4) -> Similarity:
    """As :func:`similarity`, without resamples."""
    return similarity(one, other, data, replace(how, resamples=0))


def passes_of_comparing(model: nn.Module, points: int) -> dict[str, int]:
    """How often a comparison passes the examples through a network like ``model``: ``Connection.passes``."""
    normed = any(map(keeps_statistics, model.modules()))
    return {"recalibration": points * normed, "evaluation": points, "outputs": 2}
