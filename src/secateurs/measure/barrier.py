"""The straight way between two trained networks: error barrier, instability (P2), linear mode connectivity (P4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from secateurs.core import STABLE_BELOW, Batch, MeasureError, Task, connectivity
from secateurs.measure.batches import Data
from secateurs.measure.batchnorm import bn_statistics
from secateurs.measure.evaluate import evaluated
from secateurs.measure.marks import Marks
from secateurs.measure.states import State, between, borrowed, check_masks, tensors_of, write

Recalibration = bool | Literal["exact"]
"""Whether running statistics are computed anew: no, in one pass, or layer by layer (:func:`bn_statistics`)."""


@dataclass(frozen=True)
class Barrier:
    """What is met on the straight way from b (alpha = 0) to a (alpha = 1).

    Attributes:
        alphas: the points, evenly spaced in [0, 1], ends included.
        errors: share of examples classified wrongly at each, in [0, 1].
        losses: mean loss at each, in nats; not finite where a network on the way overflows.
        correct: whether each example is classified correctly at each point, ``[points, N]`` on the CPU, or how much
            of it; None unless it was asked for.

    >>> hill = Barrier((0.0, 0.5, 1.0), errors=(0.1, 0.5, 0.2), losses=(0.4, 1.2, 0.6))
    >>> round(hill.instability, 3), hill.stable, hill.highest, round(hill.lmc, 3), round(hill.loss_increase, 3)
    (0.35, False, 0.5, -0.35, 0.7)
    """

    alphas: tuple[float, ...]
    errors: tuple[float, ...]
    losses: tuple[float, ...]
    correct: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def instability(self) -> float:
        """E_sup - mean(E(a), E(b)) (P2 section 4.1.1), in [0, 1]: the ends are on the way, too."""
        return _increase(self.errors)

    @property
    def loss_increase(self) -> float:
        """The same of the loss, in nats, >= 0."""
        return _increase(self.losses)

    @property
    def stable(self) -> bool:
        """Whether the instability is below 2 percentage points, as P2 has it."""
        return self.instability < STABLE_BELOW

    @property
    def highest(self) -> float:
        """The alpha at which the error is highest, the first of several."""
        return self.alphas[self.errors.index(max(self.errors))]

    @property
    def lmc(self) -> float:
        """mean(E(a), E(b)) - E(t*), t* where it is furthest from 0 (P4 eq. 1), in [-1, 1]: negative = barrier.

        Of equals on either side of 0 the positive one counts (:func:`~secateurs.core.connectivity`).
        """
        return float(connectivity(torch.tensor(self.errors, dtype=torch.float64)))


def error_barrier(
    model: nn.Module,
    a: State,
    b: State,
    task: Task,
    data: Data,
    *,
    points: int = 30,
    recalibrate_bn: Recalibration = False,
    calibration: Data | None = None,
    each_example: bool = False,
    batch_size: int = 512,
) -> Barrier:
    """Error and loss of alpha * a + (1 - alpha) * b at evenly spaced alpha in [0, 1] (P2 section 4.1.1).

    Evaluation mode; the model, which only lends its form, is afterwards as it was, and so is the
    random state. Running statistics of batch norms are interpolated like weights (as P2 does), or
    computed anew at every point, ends included (as P4 does). Integer buffers are those of the nearer end.

    In a training loop of your own two state dicts are enough::

        once = copy.deepcopy(model.state_dict())         # after training with one order of the data
        ...                                              # from the same step again, with another order
        barrier = error_barrier(model, once, model.state_dict(), Classification(10), train_loader)
        print(f"instability {barrier.instability:.1%}: {'stable' if barrier.stable else 'unstable'}")

    Args:
        model: of the architecture of both.
        a, b: state dicts, networks, or training states (whose masks must be equal).
        data: unaugmented examples: a set, or batches that can be gone through again.
        points: how many, ends included; P2 takes 30.
        recalibrate_bn: ``True``: statistics from one pass over ``calibration``; ``"exact"``: layer by layer.
        calibration: training examples for it, ``data`` itself by default. Give them where ``data`` are test data.
        each_example: keep what is answered correctly at each point (``Barrier.correct``), to be resampled by
            :func:`~secateurs.measure.bootstrap_lmc`; no further pass is needed. ``data`` must come in a fixed order.
        batch_size: how many of a set of examples are looked at together.

    Raises:
        MeasureError: when a and b differ in architecture or mask, one is not finite, there are fewer
            than two points, the task counts no correct answers, or, for ``each_example``, does not judge each
            example or these come in another order each time.
        DataError: without examples.

    >>> from secateurs.core import Batch
    >>> from secateurs.zoo import Classification
    >>> net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2))
    >>> def signed(x):  # the same function for 1 and -1, another one between them
    ...     weights = {"0.weight": torch.tensor([[x]]), "1.weight": torch.tensor([[x], [0.0]])}
    ...     return weights | {"1.bias": torch.tensor([0.0, 0.5])}
    >>> data = [Batch(torch.ones(4, 1), torch.tensor([0, 0, 0, 1]))]
    >>> found = error_barrier(net, signed(1.0), signed(-1.0), Classification(2), data, points=5)
    >>> found.errors, found.instability, found.stable
    ((0.25, 0.75, 0.75, 0.75, 0.25), 0.5, False)
    """
    return _along(
        "error_barrier", model, a, b, task, data, points, recalibrate_bn, calibration, batch_size, each_example
    )


def lmc(
    model: nn.Module,
    a: State,
    b: State,
    task: Task,
    data: Data,
    *,
    points: int = 11,
    recalibrate_bn: Recalibration = True,
    batch_size: int = 512,
) -> float:
    """Linear mode connectivity: mean(E(a), E(b)) - E(gamma(t*)), t* where it is furthest from 0 (P4 eq. 1), in [-1, 1].

    Negative: a barrier; below -0.05 P4 speaks of Regime I, poorly connected (:func:`~secateurs.core.regime`).
    gamma(t) = t a + (1 - t) b at 11 points; batch norms get statistics of their own at every point, ends included:
    11 passes over the data for these, which networks without batch norms do without, and 11 to evaluate. The way
    itself is ``error_barrier(..., points=11, recalibrate_bn=True)``, which takes the same arguments.

    Args:
        data: the training set, whole and unaugmented.

    Raises:
        MeasureError, DataError: as :func:`error_barrier`.
    """
    return _along("lmc", model, a, b, task, data, points, recalibrate_bn, None, batch_size).lmc


@torch.no_grad()
def _along(
    called: str,
    model: nn.Module,
    a: State,
    b: State,
    task: Task,
    data: Data,
    points: int,
    recalibrate_bn: Recalibration,
    calibration: Data | None,
    batch_size: int,
    each_example: bool = False,
) -> Barrier:
    if points < 2:
        raise MeasureError(f"{called}: points: the two ends are points already, so at least 2, got {points}")
    one, other = tensors_of(model, a, "a", called), tensors_of(model, b, "b", called)
    check_masks(a, b, one, other, called)
    alphas = tuple(step / (points - 1) for step in range(points))
    training = data if calibration is None else calibration
    marks = Marks(task, called) if each_example else None
    errors, losses = [], []
    with borrowed(model) as slots:
        for alpha in alphas:
            write(slots, between(one, other, alpha))
            if recalibrate_bn:
                exact = recalibrate_bn == "exact"
                write(slots, bn_statistics(model, task, training, exact=exact, batch_size=batch_size))
            measured = evaluated(model, task, data, batch_size, _unseen if marks is None else marks.look)
            if "accuracy" not in measured:
                raise MeasureError(
                    f"{called}: {type(task).__name__}.metrics counts no 'correct' answers: errors need them"
                )
            errors.append(1 - measured["accuracy"])
            losses.append(measured["loss"])
            if marks is not None:
                marks.next_point()
    return Barrier(alphas, tuple(errors), tuple(losses), None if marks is None else torch.stack(marks.points))


def _unseen(output: Tensor, batch: Batch) -> None:
    """Nobody looks."""


def _increase(values: tuple[float, ...]) -> float:
    return max(values) - (values[0] + values[-1]) / 2
