"""Algorithms 1, 2 and 2.1 of P4, and the choice of SAM's rho: what is to be pruned, by a look at what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar, get_args

from secateurs.core import (
    POORLY_CONNECTED,
    MeasureError,
    Selection,
    TrainingError,
    TrainState,
    did_you_mean,
    highest,
    raises_temperature,
    select,
)
from secateurs.measure import evaluate
from secateurs.procedures.connection import DIVERGED, Connection, connected, similar
from secateurs.procedures.copies import Retraining
from secateurs.procedures.soundness import unbroken
from secateurs.zoo import Dataset

T = TypeVar("T")
SelectedBy = Literal["error", "cka"]
Part = Literal["train", "validation"]


@dataclass(frozen=True)
class Tuned(Generic[T]):
    """What Algorithm 1 found.

    Attributes:
        temperature: to train at from now on: the one at hand, or the raised one.
        poorly_connected: whether the network pruned at the one at hand is in Regime I; None: it, or a copy, diverged.
        connection: of its two copies; None where it diverged before it could be pruned.
    """

    temperature: T
    poorly_connected: bool | None
    connection: Connection | None


def temperature_tuning(
    dense: Callable[[T], TrainState],
    data: Dataset,
    retraining: Retraining,
    *,
    initial: T,
    raised: T,
    threshold: float = POORLY_CONNECTED,
) -> Tuned[T]:
    """Temperature tuning (P4 Algorithm 1): raise the temperature only where what is pruned is poorly connected.

    Any temperature will do: fewer epochs, smaller batches, a larger rho or learning rate are the higher ones. Where
    LMC is not known, since a network diverged, the temperature stays as it is: ours, P4 does not say.

    Args:
        dense: Train(theta_0, T): the dense network trained at a temperature, with the same initial weights at each.
            It is called once, with ``initial``.
        initial: T_0.
        raised: T_0 + Delta T.
        threshold: epsilon.

    >>> from secateurs.core import Spec
    >>> from secateurs.procedures import MaskSettings
    >>> from secateurs.train import TrainSettings, begin, train
    >>> from secateurs.zoo import digits
    >>> data, training = digits(train_examples=200), TrainSettings(epochs=4, lr=0.05)
    >>> def stopped_after(epochs):
    ...     start = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, training, init_seed=0)
    ...     return train(start, data, training, until=epochs)
    >>> halved = Retraining(MaskSettings(density=0.5, scope="layer"), training, until=2)
    >>> found = temperature_tuning(stopped_after, data, halved, initial=4, raised=1)
    >>> found.poorly_connected, found.temperature, found.connection.lmc >= -0.05
    (False, 4, True)
    """
    theta = dense(initial)  # Theta = Train(Theta_0, T_0)
    theta.check()
    if not unbroken(theta):
        return Tuned(initial, None, None)
    copies = retraining.copies(theta, data)  # of Theta * M = Prune(Theta, L)
    connection = connected(*copies, data, retraining.compare)  # LMC via eq. 1
    poorly_connected = raises_temperature(connection.lmc, threshold)  # if LMC < epsilon: Regime I
    return Tuned(raised if poorly_connected else initial, poorly_connected, connection)


@dataclass(frozen=True)
class Selected:
    """What Algorithm 2, or 2.1, found.

    Attributes:
        selection: which network is to be pruned, and how that was found.
        errors: of the dense networks; None where one diverged.
        connection: of the two copies of the network with the least error.
        compared: of the networks that were looked at further, what they were compared by: the error after short
            retraining, or the CKA of two copies; None where that is not known. Empty where none had to be. Where
            nothing is known of any, ``selection.fell_back``.
        unknown: why it is not known, in words, of those.
    """

    selection: Selection
    errors: tuple[float | None, ...]
    connection: Connection
    compared: Mapping[int, float | None] = field(default_factory=dict, hash=False)
    unknown: Mapping[int, str] = field(default_factory=dict, hash=False)

    @property
    def chosen(self) -> int:
        """The index of the network to prune."""
        return self.selection.chosen


def model_selection(
    networks: Sequence[TrainState],
    data: Dataset,
    retraining: Retraining,
    *,
    by: SelectedBy = "error",
    part: Part = "validation",
    threshold: float = POORLY_CONNECTED,
) -> Selected:
    """Model selection via LMC and error, or via LMC and CKA (P4 Algorithms 2 and 2.1): which network is to be pruned?

    The one with the least error, unless it is poorly connected once it is pruned; then the one that is best after
    short retraining (``retraining.until``, P4's alpha). P4 takes test errors; here nothing is chosen on test data.

    Args:
        networks: dense ones, trained at other temperatures; they stay as they are. One that diverged is never chosen.
        by: ``"error"`` is Algorithm 2, ``"cka"`` 2.1.
        part: of the data that errors are of.

    Raises:
        MeasureError: when there is no network that did not diverge, or the task counts no correct answers.
        TrainingError: when it is to be by anything else, or errors of test data are asked for, a network was consumed,
            or as :func:`two_copies`.

    >>> from secateurs.core import Spec
    >>> from secateurs.procedures import MaskSettings
    >>> from secateurs.train import TrainSettings, begin, train
    >>> from secateurs.zoo import digits
    >>> data, training = digits(train_examples=200), TrainSettings(epochs=4, lr=0.05)
    >>> start = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, training, init_seed=0)
    >>> networks = [train(start.fork(), data, training, until=epochs) for epochs in (1, 4)]
    >>> found = model_selection(networks, data, Retraining(MaskSettings(density=0.5), training, until=1))
    >>> found.chosen, found.selection.poorly_connected, found.compared
    (1, False, {})
    """
    if by not in get_args(SelectedBy):
        raise TrainingError(f"model_selection: by: there is no {by!r}{did_you_mean(str(by), get_args(SelectedBy))}")
    if part not in get_args(Part):
        raise TrainingError(f"model_selection: part: nothing is chosen on {part} data: take 'validation' or 'train'")
    for theta in networks:
        theta.check()
    errors = tuple(_error(theta, data, part) for theta in networks)
    copies: dict[int, tuple[TrainState, TrainState]] = {}
    connections: dict[int, Connection] = {}
    compared: dict[int, float | None] = {}
    unknown: dict[int, str] = {}

    def lmc_of(i: int) -> float | None:
        copies[i] = retraining.copies(networks[i], data)  # of Theta_i * M = Prune(Theta_i, L)
        connections[i] = connected(*copies[i], data, retraining.compare)
        return connections[i].lmc

    def worth_of(i: int) -> float | None:
        if by == "cka":  # Algorithm 2.1
            pair = copies[i] if i in copies else retraining.copies(networks[i], data)
            alike = similar(*pair, data, retraining.compare)
            compared[i] = alike.cka
            if alike.undefined is not None:
                unknown[i] = alike.undefined
            return alike.cka
        copy = copies[i][0] if i in copies else retraining.copy(networks[i], data)
        compared[i] = error = _error(copy, data, part)
        if error is None:
            unknown[i] = DIVERGED
            return None
        return -error

    selection = select(errors, lmc_of, worth_of, threshold)
    return Selected(selection, errors, connections[selection.first], compared, unknown)


@dataclass(frozen=True)
class MostSimilar:
    """Of which network the two copies agree most.

    Attributes:
        chosen: its index; None where CKA is known of no network.
        ckas: of all; None where the network, or a copy, diverged, or CKA is undefined.
    """

    chosen: int | None
    ckas: tuple[float | None, ...]


def highest_cka(networks: Sequence[TrainState], data: Dataset, retraining: Retraining) -> MostSimilar:
    """Tuning SAM's rho (P4 section 4.3): take the network whose pruned and retrained copies have the highest CKA.

    Args:
        networks: dense ones, trained at other rho; they stay as they are.

    Raises:
        TrainingError: when a network was consumed, or as :func:`two_copies`.

    >>> from secateurs.core import Spec
    >>> from secateurs.procedures import MaskSettings
    >>> from secateurs.train import TrainSettings, begin, train
    >>> from secateurs.zoo import digits
    >>> data, net = digits(train_examples=200), Spec("lenet_300_100", {"hidden": (16, 8)})
    >>> def trained(rho):
    ...     settings = TrainSettings(epochs=2, lr=0.05, sam={"rho": rho} if rho else None)
    ...     return train(begin(net, data, settings, init_seed=0), data, settings, until=2)
    >>> retraining = Retraining(MaskSettings(density=0.5), TrainSettings(epochs=1, lr=0.05))
    >>> found = highest_cka([trained(rho) for rho in (0.0, 0.1)], data, retraining)
    >>> found.ckas[found.chosen] == max(found.ckas)
    True
    """
    for theta in networks:
        theta.check()
    ckas = tuple(
        similar(*retraining.copies(theta, data), data, retraining.compare).cka if unbroken(theta) else None
        for theta in networks
    )
    return MostSimilar(highest(ckas), ckas)


def _error(state: TrainState, data: Dataset, part: str) -> float | None:
    """The share of examples classified wrongly, in [0, 1]; None where training diverged."""
    if not unbroken(state):
        return None
    measured = evaluate(state.model, data.task, getattr(data, part))
    if "accuracy" not in measured:
        raise MeasureError(
            f"model_selection: {type(data.task).__name__}.metrics counts no 'correct' answers: errors need them"
        )
    return 1 - measured["accuracy"]
