"""Instability analysis: does the order of the data still decide where training ends (P2 sections 4.1-4.3)?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean
from typing import Literal

from secateurs.core import STABLE_BELOW, Moment, TrainingError, TrainState
from secateurs.measure import Barrier, Distances, distances, error_barrier
from secateurs.procedures.soundness import unbroken
from secateurs.train import TrainSettings, train
from secateurs.zoo import Dataset

Part = Literal["train", "validation", "test"]
After = Literal["continue", "replay"]


@dataclass(frozen=True)
class Pair:
    """Two copies that were trained with different orders, compared.

    Attributes:
        seeds: their order seeds.
        barriers: part of the data -> what is met on the straight way between them.
        distances: part of the data -> how far apart they are otherwise (P2 section 4.1.5).
    """

    seeds: tuple[int, int]
    barriers: Mapping[Part, Barrier]
    distances: Mapping[Part, Distances]


@dataclass(frozen=True)
class Instability:
    """What instability analysis found of a state.

    Attributes:
        start: the moment k at which the copies were made.
        end: the moment at which they are compared.
        pairs: every pair of copies that did not diverge.
        diverged: order seeds of the copies that did.
    """

    start: Moment
    end: Moment
    pairs: tuple[Pair, ...]
    diverged: tuple[int, ...] = ()

    def mean(self, part: Part = "train") -> float | None:
        """Mean instability over the pairs, a fraction in [0, 1]; None when no pair is left.

        Raises:
            TrainingError: when the copies were not compared on this part.
        """
        if any(part not in pair.barriers for pair in self.pairs):
            raise TrainingError(f"instability: the copies were not compared on {part!r} data: name it in parts=")
        return fmean(pair.barriers[part].instability for pair in self.pairs) if self.pairs else None

    @property
    def stable(self) -> bool | None:
        """Whether the mean instability on training data is below 2 percentage points (P2 section 4.1.1).

        None when no pair is left. Test data have no say: they are only reported.
        """
        mean = self.mean("train")
        return None if mean is None else mean < STABLE_BELOW


def instability(
    state: TrainState,
    data: Dataset,
    training: TrainSettings,
    *,
    order_seeds: Sequence[int] = (1, 2),
    until: str | int | Moment | None = None,
    after: After = "continue",
    parts: Sequence[Part] = ("train", "test"),
    points: int = 30,
) -> Instability:
    """Algorithm 3 of P2: train copies of W_k with different noise u, and compare what they become.

    The copies differ in the order of the data and its augmentation, and in nothing else; they are
    compared by the error barrier on the straight way between them, every two of them if there are more.
    ``state`` is left as it is, so that a run can be analysed at any moment of it and go on. With a
    mask in the state the copies are subnetworks (P2 section 4.2).

    Args:
        state: W_k, dense or pruned, with its optimiser and its place in the schedule.
        order_seeds: one for each copy. The seed that the run itself goes on with makes a copy that
            is the run itself.
        until: where they are compared; the run's end T by default.
        after: ``"continue"`` trains T - k steps; ``"replay"`` T steps, with the learning-rate
            schedule at step 0 again (P2 section 4.1.2, figure 4-4).
        parts: of the data on which they are compared, unaugmented. Test data are for reporting only.
        points: on the way, ends included.

    Raises:
        TrainingError: with fewer than two seeds, when the state was consumed or has diverged, when
            ``until`` lies before it or after the run's end.
        MeasureError: when the task counts no correct answers.

    >>> from secateurs.core import Spec
    >>> from secateurs.train import begin
    >>> from secateurs.zoo import digits
    >>> data, training = digits(train_examples=200), TrainSettings(epochs=2, lr=0.05)
    >>> state = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, training, init_seed=0)
    >>> found = instability(state, data, training)
    >>> str(found.start), str(found.end), found.pairs[0].seeds, 0 <= found.mean("test") <= 1
    ('0ep', '2ep', (1, 2), True)
    >>> instability(state, data, training, order_seeds=(1, 1)).mean("train")
    0.0
    """
    check_seeds(order_seeds)
    end = Moment.parse(training.epochs if until is None else until, state.moment.steps_per_epoch)
    copies = [
        train(copy_of(state, training, after), data, training, until=end, order_seed=u)  # W_T = A^{k -> T}(W_k, u)
        for u in order_seeds
    ]
    return compare_copies(copies, order_seeds, data, start=state.moment, end=end, parts=parts, points=points)


def throughout(
    state: TrainState,
    data: Dataset,
    training: TrainSettings,
    *,
    moments: Sequence[str | int | Moment],
    order_seeds: Sequence[int] = (1, 2),
    after: After = "continue",
    parts: Sequence[Part] = ("train", "test"),
    points: int = 30,
) -> Iterator[Instability]:
    """Instability throughout training (P2 section 4.1.3): the copies are compared at each of ``moments``, in order.

    Each is trained once; arguments and errors are those of :func:`instability`.
    """
    check_seeds(order_seeds)
    copies = [copy_of(state, training, after) for _ in order_seeds]
    ends = [Moment.parse(moment, state.moment.steps_per_epoch) for moment in moments]
    if any(later < earlier for earlier, later in pairwise(ends)):
        raise TrainingError("instability: moments must be in order of time")
    for end in ends:
        copies = [
            train(copy, data, training, until=end, order_seed=u) for copy, u in zip(copies, order_seeds, strict=True)
        ]
        yield compare_copies(copies, order_seeds, data, start=state.moment, end=end, parts=parts, points=points)


def copy_of(state: TrainState, training: TrainSettings, after: After = "continue") -> TrainState:
    """A copy of W_k to be trained on: same weights, buffers, mask and optimiser, bit for bit.

    Raises:
        TrainingError: when the state was consumed or has diverged.
    """
    if state.diverged is not None:
        raise TrainingError(f"instability: the state diverged at {state.diverged}: there is nothing to be trained on")
    copy = state.fork()
    if after == "continue":
        return copy
    start = Moment(0, state.moment.steps_per_epoch)
    return copy.take(moment=start, schedule_start=start, max_lr=training.lr)


def compare_copies(
    copies: Sequence[TrainState],
    order_seeds: Sequence[int],
    data: Dataset,
    *,
    start: Moment,
    end: Moment,
    parts: Sequence[Part] = ("train", "test"),
    points: int = 30,
) -> Instability:
    """The function f of Algorithm 3, for every two copies; they stay as they are."""
    alive = {place: seed for place, seed in enumerate(order_seeds) if unbroken(copies[place])}
    pairs = []
    for one, other in combinations(alive, 2):
        barriers: dict[Part, Barrier] = {}
        apart: dict[Part, Distances] = {}
        for part in parts:
            compared = copies[one].model, copies[one], copies[other], data.task, getattr(data, part)
            barriers[part] = error_barrier(*compared, points=points)
            apart[part] = distances(*compared)
        pairs.append(Pair((alive[one], alive[other]), barriers, apart))
    diverged = tuple(seed for place, seed in enumerate(order_seeds) if place not in alive)
    return Instability(start, end, tuple(pairs), diverged)


def check_seeds(order_seeds: Sequence[int]) -> None:
    """Whether there are two copies to be compared.

    Raises:
        TrainingError: when there are not.
    """
    if len(order_seeds) < 2:
        raise TrainingError(f"instability: order_seeds: two copies at least are compared, got {len(order_seeds)}")
