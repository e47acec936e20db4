"""What all channel scores share: their type, their options' values, and whose weights count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, PruningError, Task, did_you_mean
from secateurs.what.channels.parts import Coupled, Part
from secateurs.what.channels.reduction import Absolute, Reduce

ChannelScores = dict[str, Tensor]
"""Group -> one score per unit, ``[units]`` on the CPU. Higher = keep, always."""

Members = Literal["output", "all"]
"""Weights of the layers that make a channel, or every parameter that goes with it: biases, norms, readers."""

Within = Literal["network", "group"]
"""Whose gates take part in a Hessian: those of the whole network, or of one group at a time."""


class ChannelScoreFn(Protocol):
    """A criterion: which channels matter. Pure: the model is left exactly as it was."""

    def __call__(
        self,
        model: nn.Module,
        task: Task | None = None,
        batches: Iterable[Batch] = (),
        groups: Iterable[Group] = (),
        *,
        mask: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> Mapping[str, Tensor]: ...


def check_channel_values(
    called: str,
    *,
    reduce: str = "sum",
    absolute: str = "inside",
    members: str = "output",
    order: int = 2,
    hessian: str = "network",
    convs_only: bool = False,
    depthwise: bool = True,
    signed: bool = True,
    absolutes: Sequence[str] = get_args(Absolute),
) -> None:
    """Refuse values of options that no network, task or data make right.

    Args:
        called: who asks, for the message.
        reduce: see :data:`~secateurs.what.channels.Reduce`.
        absolute: see :data:`~secateurs.what.channels.Absolute`.
        members: see :data:`~secateurs.what.channels.Members`.
        order: of a filter's norm.
        hessian: see :data:`~secateurs.what.channels.Within`.
        convs_only: whether convolutions alone count.
        depthwise: whether depthwise ones do.
        signed: whether the score has a sign before its absolute value is taken.
        absolutes: the choices of ``absolute``.

    Raises:
        PruningError: saying who was ``called``, the option, and what was expected.

    >>> check_channel_values("snip", reduce="add")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: snip: reduce: there is no 'add'; choices: max, mean, norm, sum
    """
    for option, value, choices in (
        ("reduce", reduce, get_args(Reduce)),
        ("absolute", absolute, absolutes),
        ("members", members, get_args(Members)),
        ("hessian", hessian, get_args(Within)),
    ):
        if value not in choices:
            raise PruningError(f"{called}: {option}: there is no {value!r}{did_you_mean(str(value), choices)}")
    if absolute in ("filter", "outside") and reduce not in ("sum", "mean"):
        raise PruningError(
            f"{called}: absolute={absolute!r} is about sums: pass reduce='sum' or 'mean' instead of {reduce!r}, "
            "or absolute='inside'"
        )
    if absolute in ("filter", "outside") and not signed:
        raise PruningError(
            f"{called}: absolute={absolute!r} needs a sign, and this score has none, weight by weight: "
            "pass absolute='inside', or take another score, such as loss_preservation or gradient_flow"
        )
    for option, flag in (("convs_only", convs_only), ("depthwise", depthwise)):
        if not isinstance(flag, bool):
            raise PruningError(f"{called}: {option}: expected true or false, got {flag!r}")
    if order not in (1, 2):
        raise PruningError(f"{called}: order: expected 1 or 2, got {order!r}")


def counting(
    coupled: Iterable[Coupled],
    called: str,
    *,
    among: Collection[int] | None = None,
    only: bool = False,
    every: bool = False,
    convs_only: bool = False,
    depthwise: bool = True,
) -> dict[str, list[list[Part]]]:
    """Group -> the parts that count in its score, by layer.

    Args:
        coupled: the groups.
        called: who asks, for the message.
        among: ids of the parameters that count; None for all.
        only: no others count; else others do in a group that has none of these.
        every: all parameters of the group, not only weights that make its channels.
        convs_only: convolutions' parts alone.
        depthwise: depthwise convolutions' too; else they only follow the layer before them.

    Raises:
        PruningError: for a group of which nothing counts.
    """

    def counts(part: Part) -> bool:
        kind = (part.of_conv or not convs_only) and (depthwise or not part.of_depthwise)
        return kind and (every or part.is_weight)

    def chosen(part: Part) -> bool:
        return counts(part) and (among is None or id(part.parameter) in among)

    found: dict[str, list[list[Part]]] = {}
    for group in coupled:
        layers = group.layers(chosen if only or not every else counts)
        layers = layers if layers or only else group.layers(counts)
        if not layers:
            limits = {"names=": only, "convs_only": convs_only, "depthwise=False": not depthwise}
            because = ", ".join(limit for limit, holds in limits.items() if holds)
            raise PruningError(
                f"{called}: group {group.name!r} has no weight that counts{f' with {because}' if because else ''}: "
                "leave the group out, or score it otherwise"
            )
        found[group.name] = layers
    return found


def names_of(model: nn.Module, names: Iterable[str], parts: Iterable[Part]) -> dict[int, str]:
    """Parameter's id -> the name by which it is scored: those of ``names`` first, then what else ``parts`` have."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found = {id(parameters[name]): name for name in names}
    for part in parts:
        found.setdefault(id(part.parameter), part.name)
    return found
