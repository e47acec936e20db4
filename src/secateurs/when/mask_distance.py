"""Early-Bird's signal: how much the mask that pruning would give still changes from epoch to epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateurs.core import (
    Observation,
    PruningError,
    Scores,
    SignalError,
    SignalState,
    Spec,
    did_you_mean,
    generator_for,
    prunable,
)
from secateurs.how import keep_top
from secateurs.how.packing import pack_bits
from secateurs.what import SCORES, WITHOUT_EXAMPLES, check_score

Of = Literal["weights", "bn_scale"]
Scope = Literal["global", "layer", "erk"]


@dataclass(frozen=True)
class MaskDistance:
    """The largest distance between the newest mask and each of the others in a window of epochs (You et al., 2020).

    At each epoch's end the mask is made that pruning now would give. The value is the largest
    normalised Hamming distance, differing entries / all entries, of the newest of the last
    ``window`` masks to each other one; there is none before there are so many. The untrained
    network's mask never counts. In [0, 2 min(density, 1 - density)], so that a threshold means
    less the further the density is from one half. Dimensionless; in float64.

    Args:
        score: name of the score, or a Spec with its options; it sees the weights as they stand.
            Scores that need data get the first ``samples`` probe examples as one batch. Their
            randomness follows from the run's seed alone: the same at every epoch, so that what
            differs are the weights.
        density: share of the entries that the mask keeps, in (0, 1).
        window: masks that are compared, the newest included; at least 2.
        scope: where scores compete, as in :func:`~secateurs.how.keep_top`.
        of: ``"weights"``: of the prunable weights. ``"bn_scale"``: of the channels, by the score
            of the scales gamma of all batch norms (``|gamma|`` with ``"magnitude"``), as Early-Bird does.
        samples: probe examples for scores that need data.

    Raises:
        SignalError: when an argument is out of its range, or the score or one of its options is unknown or wrong.

    >>> from secateurs.core import Moment
    >>> net, signal = nn.Linear(4, 1, bias=False), MaskDistance(density=0.5, window=2)
    >>> state, values = signal.init(net), []
    >>> for epoch, weights in enumerate([[9, 9, 0, 0], [1, 2, 3, 4], [5, 2, 3, 4], [6, 2, 3, 4]]):
    ...     _ = net.weight.data.copy_(torch.tensor([weights]))
    ...     state, value = signal.update(state, Observation(Moment(epoch, 1), "epoch", net, None))
    ...     values.append(None if value is None else value.item())
    >>> values
    [None, None, 0.5, 0.0]
    """

    score: str | Spec = field(default="magnitude", hash=False)  # a Spec's options cannot be hashed
    density: float = 0.1
    window: int = 5
    scope: Scope = "global"
    of: Of = "weights"
    samples: int = 100

    name: ClassVar[str] = "mask_distance"
    every: ClassVar[Literal["epoch"]] = "epoch"
    details: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not 0 < self.density < 1 or self.window < 2 or self.samples < 1:
            raise SignalError(
                "mask_distance: density must lie between 0 and 1, window be at least 2 and samples at least 1, got "
                f"density={self.density!r}, window={self.window!r}, samples={self.samples!r}"
            )
        for name, choices in (("scope", get_args(Scope)), ("of", get_args(Of))):
            if getattr(self, name) not in choices:
                told = f"unknown {name} {getattr(self, name)!r}{did_you_mean(str(getattr(self, name)), choices)}"
                raise SignalError(f"mask_distance: {told}")
        try:
            check_score(self._spec, "mask_distance")
        except PruningError as error:
            raise SignalError(str(error)) from None

    @property
    def reads(self) -> frozenset[str]:
        """Examples, where the score looks at any."""
        return frozenset() if self._spec.name in WITHOUT_EXAMPLES else frozenset({"probe"})

    def init(self, model: nn.Module) -> SignalState:
        """No masks yet.

        Raises:
            SignalError: with ``of="bn_scale"``, when the model has no batch norm with a trainable scale.
            PruningError: with ``of="weights"``, when the model has no prunable weights.
        """
        self._names(model)
        return {"masks": None, "entries": 0}

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Make the mask at an epoch's end; give the distance once the window is full.

        Where scores are not finite there is no mask: the value is NaN and the window stays.

        Raises:
            SignalError: when the network has other entries than those that the masks are of.
            PruningError: when the score cannot be computed.
        """
        if observation.boundary != "epoch" or observation.moment.steps == 0:
            return state, None
        scores = self._scores(observation)
        if not all(bool(values.isfinite().all()) for values in scores.values()):
            return state, torch.tensor(math.nan, dtype=torch.float64)
        mask = keep_top(scores, self.density, scope=self.scope)
        if state["entries"] not in (0, mask.total):
            raise SignalError(
                f"mask_distance: the masks so far are of {state['entries']} entries, the network has {mask.total} now: "
                "begin a new watch where the network is rebuilt"
            )
        # One bit an entry, a row a mask, oldest first.
        masks = pack_bits(torch.cat([kept.flatten() for kept in mask.values()]))[None]
        if state["masks"] is not None:
            masks = torch.cat([state["masks"][1 - self.window :], masks])
        following = {"masks": masks, "entries": mask.total}
        if len(masks) < self.window:
            return following, None
        differing = max(np.count_nonzero(np.unpackbits((row ^ masks[-1]).numpy())) for row in masks[:-1])
        return following, torch.tensor(differing / mask.total, dtype=torch.float64)

    @property
    def _spec(self) -> Spec:
        return Spec(self.score) if isinstance(self.score, str) else self.score

    def _scores(self, o: Observation) -> Scores:
        spec, generator = self._spec, generator_for("mask_distance", o.seed)
        batches = () if o.probe is None else o.probe.batches(self.samples, limit=self.samples)
        return SCORES[spec.name](
            o.model, o.task, batches, names=self._names(o.model), generator=generator, **spec.options
        )

    def _names(self, model: nn.Module) -> list[str]:
        if self.of == "weights":
            return list(prunable(model))
        norms = {path: m for path, m in model.named_modules() if isinstance(m, _BatchNorm) and m.affine}
        names = [f"{path}.weight".lstrip(".") for path, norm in norms.items() if norm.weight.requires_grad]
        if not names:
            raise SignalError(
                'mask_distance(of="bn_scale"): the model has no batch norm with a trainable scale: use of="weights"'
            )
        return names
