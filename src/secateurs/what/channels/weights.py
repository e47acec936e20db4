"""Weight scores reduced to channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, Spec, Task
from secateurs.what.channels.common import ChannelScores, Members, check_channel_values, counting, names_of
from secateurs.what.channels.parts import coupled_of
from secateurs.what.channels.reduction import Absolute, Reduce, reduced
from secateurs.what.loss import MeanLoss
from secateurs.what.scores.simple import magnitude
from secateurs.what.scores.table import score
from secateurs.what.weights import weights_of

HAVE_SIGN = frozenset({"grasp", "movement", "obd"})
"""Weight scores that may be negative: removing such a weight does good."""


@dataclass(frozen=True)
class Reduced:
    """A weight score of :data:`~secateurs.what.SCORES`, reduced to channels.

    ``Reduced("snip")(model, task, batches, groups)`` is a channel score. It has the options and
    errors of the weight score, but for GraSP's ``absolute`` and the ``revive`` of others, and those
    of :meth:`__call__`.

    Args:
        name: of the weight score.
        absolute: what holds where the caller says nothing.
    """

    name: str
    absolute: Absolute = "inside"

    def __call__(
        self,
        model: nn.Module,
        task: Task | None = None,
        batches: Iterable[Batch] = (),
        groups: Iterable[Group] = (),
        *,
        mask: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
        names: Sequence[str] | None = None,
        reduce: Reduce = "sum",
        absolute: Absolute | None = None,
        members: Members = "output",
        convs_only: bool = False,
        depthwise: bool = True,
        **options: Any,
    ) -> ChannelScores:
        """One score per unit.

        Args:
            model: left as it was.
            task: what the loss or the distribution is.
            batches: training examples.
            groups: channels that go together.
            mask: masked weights act as 0 and score 0.
            generator: for scores that draw.
            names: parameters that gradient and Hessian are over, and that count; by default all
                prunable weights, and with them the weights of groups that have no prunable one
                (recurrent layers, embeddings, frozen layers), or with ``members="all"`` all of a group.
            reduce: over the weights of a unit in all coupled layers at once; each counts once.
            absolute: where the absolute value is taken, see :data:`~secateurs.what.channels.Absolute`.
            members: ``"output"``: weights of the layers that make the channel, without biases.
                ``"all"``: everything that goes with it, biases, norms, weights that read it.
            convs_only: convolutions' weights alone count, as P3 scores filters.
            depthwise: False leaves depthwise convolutions out, which then only follow the layer
                before them: P3's MobileNet.
            options: of the weight score.

        Raises:
            PruningError: as the weight score does; for options that contradict each other; for groups
                that do not fit the model, or of which no weight counts.
        """
        self.check(
            self.name, reduce=reduce, absolute=absolute, members=members, convs_only=convs_only, depthwise=depthwise
        )
        absolute = absolute or self.absolute
        coupled = coupled_of(model, groups, self.name)
        weights = weights_of(model, names)
        among = {id(p) for p in weights.values()}
        layers = counting(
            coupled,
            self.name,
            among=among,
            only=names is not None,
            every=members == "all",
            convs_only=convs_only,
            depthwise=depthwise,
        )
        chosen = names_of(model, weights, (part for group in layers.values() for layer in group for part in layer))
        scored = [*chosen.values()]
        if absolute in ("filter", "outside") and self.name not in HAVE_SIGN:
            scores = _SIGNED[self.name](self.name, model, task, batches, names=scored, mask=mask, **options)
        else:
            what = Spec(self.name, options)
            scores = score(what, model, task, batches, names=scored, mask=mask, generator=generator)
        values = {each: scores[name] for each, name in chosen.items()}
        return {group.name: reduced(layers[group.name], values, group.units, reduce, absolute) for group in coupled}

    def check(
        self,
        called: str,
        *,
        reduce: Reduce = "sum",
        absolute: Absolute | None = None,
        members: Members = "output",
        convs_only: bool = False,
        depthwise: bool = True,
    ) -> None:
        """Refuse what :meth:`__call__` would, of these options' values.

        Raises:
            PruningError: saying who was ``called``, the option, and what was expected.
        """
        check_channel_values(
            called,
            reduce=reduce,
            absolute=absolute or self.absolute,
            members=members,
            convs_only=convs_only,
            depthwise=depthwise,
            signed=self.name in HAVE_SIGN or self.name in _SIGNED,
        )


def _first_order(
    called: str, model: nn.Module, task: Task | None, batches: Iterable[Batch], **options: Any
) -> Mapping[str, Tensor]:
    loss = MeanLoss(model, task, batches, called=called, **options)
    g = loss.gradient()
    return {name: theta * g.pop(name) for name, theta in loss.theta.items()}


def _with_magnitude(
    called: str, model: nn.Module, task: Task | None, batches: Iterable[Batch], **options: Any
) -> Mapping[str, Tensor]:
    found = _first_order(called, model, task, batches, **options)
    theta = magnitude(model, names=[*found], mask=options["mask"])
    return {name: theta[name] * each for name, each in found.items()}


def _second_order(
    called: str, model: nn.Module, task: Task | None, batches: Iterable[Batch], **options: Any
) -> Mapping[str, Tensor]:
    loss = MeanLoss(model, task, batches, called=called, **options)
    hg = loss.gradient_and_product()[1]
    return {name: theta * hg.pop(name) for name, theta in loss.theta.items()}


def _weights(
    called: str, model: nn.Module, task: Task | None, batches: Iterable[Batch], **options: Any
) -> Mapping[str, Tensor]:
    del called, task, batches
    parameters = weights_of(model, options["names"])
    return {name: each * parameters[name].detach().sign() for name, each in magnitude(model, **options).items()}


_SIGNED: dict[str, Callable[..., Mapping[str, Tensor]]] = {
    "magnitude": _weights,
    "snip": _first_order,
    "loss_preservation": _first_order,
    "magnitude_loss": _with_magnitude,
    "gradient_flow": _second_order,
}
"""What each of these scores is before its absolute value is taken."""
