"""The table of channel scores, and the one way in that every caller takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, PruningError, Spec, Task, all_finite
from secateurs.what.channels.common import ChannelScoreFn, ChannelScores, check_channel_values
from secateurs.what.channels.crop import crop_gate, crop_gate_eq6
from secateurs.what.channels.gates import gate_decorators, snap
from secateurs.what.channels.reduction import GateAbsolute
from secateurs.what.channels.simple import bn_scale, filter_norm, random, uniform
from secateurs.what.channels.weights import Reduced
from secateurs.what.options import check_named, check_values
from secateurs.what.scores.table import SCORES

CHANNEL_SCORES: dict[str, ChannelScoreFn] = {
    "random": random,
    "uniform": uniform,
    "bn_scale": bn_scale,
    "filter_norm": filter_norm,
    "snap": snap,
    "crop_gate": crop_gate,
    "crop_gate_eq6": crop_gate_eq6,
    "gate_decorators": gate_decorators,
    "magnitude": Reduced("magnitude"),
    "fisher": Reduced("fisher"),
    "fisher_empirical": Reduced("fisher_empirical"),
    "snip": Reduced("snip"),
    "loss_preservation": Reduced("loss_preservation"),
    "magnitude_loss": Reduced("magnitude_loss"),
    "taylor": Reduced("taylor"),
    "movement": Reduced("movement", absolute="none"),
    "grasp": Reduced("grasp", absolute="none"),
    "gradient_flow": Reduced("gradient_flow", absolute="outside"),
    "obd": Reduced("obd", absolute="none"),
    "synflow": Reduced("synflow"),
}
"""The only place where a name means a channel score. A function of one's own of the same shape serves as well."""

CHANNELS_WITHOUT_EXAMPLES = frozenset({"random", "uniform", "bn_scale", "filter_norm", "magnitude"})
"""Channel scores that look at no examples."""

_GIVEN = frozenset(inspect.signature(ChannelScoreFn.__call__).parameters)
_OF_WEIGHTS = frozenset({"model", "names", "task", "batches", "mask", "generator", "absolute", "revive"})
"""Of a weight score, what is no option once it is reduced to channels."""


def channel_score(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    groups: Iterable[Group] = (),
    *,
    name: str | Spec | ChannelScoreFn,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> ChannelScores:
    """One score per unit of each group, ``[units]`` on the CPU, higher = keep; the model is left as it was.

    Args:
        model: the network; only what ``groups`` name is scored.
        task: what the loss is; not every score needs it.
        batches: training examples, e.g. 10 per class; not every score needs them.
        groups: channels that go together.
        name: a name of :data:`CHANNEL_SCORES`, such a name with options, or a function of one's own.
        mask: parameter name -> True where kept; masked weights act as 0.
        generator: a CPU generator, for scores that draw.
        options: of the score.

    Raises:
        PruningError: for an unknown name or option (with the choices), groups that do not fit the
            model, or scores that are not finite; and as the score says.

    >>> from secateurs.core import Member
    >>> net = nn.Linear(2, 2)
    >>> _ = net.weight.data.copy_(torch.tensor([[3.0, -4.0], [0.0, 1.0]]))
    >>> groups = [Group("fc", 2, (Member("weight", 0, ((0,), (1,)), "output"),))]
    >>> channel_score(net, groups=groups, name="magnitude", reduce="mean")
    {'fc': tensor([3.5000, 0.5000])}
    >>> channel_score(net, groups=groups, name="magnitud")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: unknown channel score 'magnitud'; choices: ...; did you mean 'magnitude'?
    """
    function = name
    if isinstance(name, str | Spec):
        spec = Spec(name, options) if isinstance(name, str) else Spec(name.name, {**name.options, **options})
        check_channel_score(spec, "")
        function, options = CHANNEL_SCORES[spec.name], dict(spec.options)
    scores: ChannelScores = dict(
        function(model, task, batches, groups, mask=mask, generator=generator, **options)  # type: ignore[operator]
    )
    for group, values in scores.items():
        if not all_finite(values):
            raise PruningError(f"channel score of {group!r} is not finite: has training diverged?")
    return scores


def check_channel_score(spec: Spec, where: str) -> None:
    """See whether the table has the score and the score its options, before anything is trained or scored.

    Args:
        spec: the score.
        where: who asks, or the path of what asks for it: the message begins with it, unless it is empty.

    Raises:
        PruningError: for an unknown name or option (with the choices), or a value that the score itself refuses.

    >>> check_channel_score(Spec("snip", {"reduc": "sum"}), "what")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: what: channel score 'snip' has no option 'reduc'; choices: ...
    """
    at = f"{where}: " if where else ""
    check_named("channel score", spec, CHANNEL_SCORES, options_of, at)
    function, options = CHANNEL_SCORES[spec.name], {**options_of(spec.name), **spec.options}
    called = f"{at}{spec.name}"
    check_values(called, **_ruled(check_values, options))
    if isinstance(function, Reduced):
        function.check(called, **_ruled(function.check, options))
    else:
        check_channel_values(called, absolutes=get_args(GateAbsolute), **_ruled(check_channel_values, options))


def options_of(name: str) -> dict[str, Any]:
    """Options of a channel score of the table, with their defaults.

    >>> options_of("filter_norm")
    {'order': 2, 'reduce': 'sum', 'convs_only': False, 'depthwise': True}
    """
    function = CHANNEL_SCORES[name]
    own = inspect.signature(function).parameters.values()
    found = {each.name: each.default for each in own if each.kind is not each.VAR_KEYWORD and each.name not in _GIVEN}
    if isinstance(function, Reduced):
        of_weights = inspect.signature(SCORES[function.name]).parameters.values()
        found |= {each.name: each.default for each in of_weights if each.name not in _OF_WEIGHTS}
    return found


def _ruled(check: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in inspect.signature(check).parameters if name in options}
