"""Copies of a pruned network that are retrained with other noise (P4 section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass

from secateurs.core import Moment, TrainingError, TrainState
from secateurs.procedures.connection import AS_IN_P4, Comparing
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.soundness import judged
from secateurs.procedures.tickets import retrained
from secateurs.train import TrainSettings, train
from secateurs.zoo import Dataset


def two_copies(
    pruned: TrainState,
    data: Dataset,
    training: TrainSettings,
    *,
    until: str | int | Moment | None = None,
    order_seeds: tuple[int, int] = (1, 2),
) -> tuple[TrainState, TrainState]:
    """Two copies of a pruned network, retrained with other noise (P4 section 2.4); it stays as it is.

    They differ in the order of the data and its augmentation alone: with batches of all the data, and without
    augmentation, they are equal up to rounding, and tell nothing. A copy that diverges is a result.

    Args:
        pruned: as :func:`~secateurs.procedures.retrained` begins it, under its mask.
        until: P4's alpha; the end of ``training`` by default.

    Raises:
        TrainingError: when the seeds are not two different ones, the state was consumed, or ``until`` lies after the
            end, or not after where ``pruned`` stands.
    """
    pruned.check()
    if len(order_seeds) != 2 or order_seeds[0] == order_seeds[1]:
        raise TrainingError(f"two_copies: order_seeds: with {order_seeds} the copies are the same: take two different")
    end = Moment.parse(_end(training, until), pruned.moment.steps_per_epoch)
    if end <= pruned.moment:
        raise TrainingError(
            f"two_copies: until: the pruned network stands at {pruned.moment} already, so that copies retrained until "
            f"{end} are the same: take a later one"
        )
    one, other = (_copy(pruned, data, training, until, seed) for seed in order_seeds)
    return one, other


@dataclass(frozen=True)
class Retraining:
    """What is done with a dense network to look at it: it is pruned to the target load, retrained, and compared.

    Attributes:
        pruning: to which density, and where weights compete: UniformMP is ``scope="layer"``, GlobalMP ``"global"``.
        training: of the pruned network; its whole schedule begins anew, whatever dense training was.
        until: P4's alpha, 2 epochs in Algorithms 2 and 2.1; None: the end of ``training``.
        order_seeds: of the two copies.
        pruning_seed: of what is random in pruning.
        compare: how the copies are compared.
    """

    pruning: MaskSettings
    training: TrainSettings
    until: str | int | Moment | None = None
    order_seeds: tuple[int, int] = (1, 2)
    pruning_seed: int = 0
    compare: Comparing = AS_IN_P4

    def pruned(self, theta: TrainState, data: Dataset) -> TrainState:
        """Prune(theta, L), to be retrained; ``theta`` stays as it is.

        Raises:
            TrainingError: when ``theta`` was consumed or has diverged.
            PruningError: when it cannot be pruned so.
        """
        theta.check()
        mask = find_mask(theta.model, data, self.pruning, pruning_seed=self.pruning_seed)
        return retrained(theta, mask, self.training, data)

    def copy(self, theta: TrainState, data: Dataset) -> TrainState:
        """Train(Prune(theta, L), alpha): the first copy by itself; errors as of :meth:`pruned`."""
        return _copy(self.pruned(theta, data), data, self.training, self.until, self.order_seeds[0])

    def copies(self, theta: TrainState, data: Dataset) -> tuple[TrainState, TrainState]:
        """Both; errors as of :meth:`pruned` and :func:`two_copies`."""
        pruned = self.pruned(theta, data)
        return two_copies(pruned, data, self.training, until=self.until, order_seeds=self.order_seeds)


def _copy(
    pruned: TrainState, data: Dataset, training: TrainSettings, until: str | int | Moment | None, seed: int
) -> TrainState:
    return judged(train(pruned.fork(), data, training, until=_end(training, until), order_seed=seed))


def _end(training: TrainSettings, until: str | int | Moment | None) -> str | int | Moment:
    return training.epochs if until is None else until
