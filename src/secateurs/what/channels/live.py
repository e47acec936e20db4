"""Gates that are really there: the loss is differentiated by them alone, and no gradient of a weight is ever made.

While the model is called, what its gated layers give is multiplied by gates, all of them 1. One backward pass to these
is dL/dc. In forward mode, with tangents on the weights or on the gates, the same pass also gives how dL/dc changes
along them (forward over reverse): d/dc <stopgrad(g), g> is the derivative of dL/dc in the direction g of the weights,
H_cc v that in the direction v of the gates. Memory: the weights, their tangents, and one pass's activations,
twice where there are tangents.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

import torch
import torch.autograd.forward_ad as forward_mode
from torch import Tensor

from secateurs.core import PruningError, plain_attention
from secateurs.what.channels.bilinear import Bilinear
from secateurs.what.channels.gated import Layers, Rows
from secateurs.what.channels.multiplying import Gate, Multiplying, Site, UnseenError, sites_of
from secateurs.what.channels.parts import Coupled, Part
from secateurs.what.loss import MeanLoss, Weights
from secateurs.what.passes import nodes_of, wide


class GateLoss:
    """The mean loss as a function of gates: one for each unit in each layer that makes it.

    Its methods give None where gates cannot be put in or be differentiated so: parameters that are not used at all or
    inside a script, operations without a derivative in forward mode, functions of one's own, parts of a model
    that are computed anew in the backward pass. Derivatives by weights serve there, with the memory that they take.

    Args:
        loss: over all parameters of the layers, and maybe others.
        coupled: the groups.
        layers: what makes their channels.
        leaves: parameter's id -> its name among the weights of ``loss``.
    """

    def __init__(self, loss: MeanLoss, coupled: Sequence[Coupled], layers: Layers, leaves: Mapping[int, str]) -> None:
        self._loss, self._layers, self._leaves = loss, layers, leaves
        self._units = {group.name: group.units for group in coupled}
        self._sites = sites_of(layers, leaves)
        of = loss.theta
        self._ones = {
            (name, dim): torch.ones(of[name].shape[dim], dtype=wide(of[name]), device=of[name].device)
            for name, dim in self._sites
        }

    def slopes(self) -> Rows | None:
        """dL/dc."""
        return self._found("gradient", None, None)

    def slopes_along(self, weights: Weights) -> Rows | None:
        """The derivative of dL/dc in a direction of the weights: name -> tensor; what is not named stays."""
        return self._found("Hessian product", weights, None)

    def product(self, gates: Rows) -> Rows | None:
        """H_cc times a vector of gates, whose entries are 0 for groups that it does not name."""
        direction = {site: torch.zeros_like(ones) for site, ones in self._ones.items()}
        for group, rows in gates.items():
            for row, layer in zip(rows, self._layers[group], strict=True):
                for part, site in self._acting(layer):
                    along = direction[site]
                    along.index_add_(0, part.positions.to(along.device), row[part.units].to(along))
        return self._found("Hessian product", None, direction)

    def _acting(self, layer: Sequence[Part]) -> Iterator[tuple[Part, Site]]:
        """Each part with its site, but for biases that share their weight's."""
        for part in layer:
            name = self._leaves[id(part.parameter)]
            if name not in self._sites.biases:
                yield part, self._sites.of(name, part.dim)

    def _found(self, what: str, weights: Weights | None, gates: Mapping[Site, Tensor] | None) -> Rows | None:
        dual = weights is not None or gates is not None

        def made(name: str, w: Tensor) -> Tensor:
            along = (weights or {}).get(name)
            return w.detach() if along is None else forward_mode.make_dual(w.detach(), along)

        def part(loss: Callable[[], Tensor], now: Weights) -> list[Tensor]:
            return self._slopes(loss, now, gates, dual)

        # A level keeps the tangents of all that was computed in it: each pass has its own.
        within = _dual_level if dual else nullcontext
        with plain_attention():
            try:
                found = self._loss.mean(part, made, second=dual, within=within)
            except RuntimeError:  # whatever forward mode cannot do, and says in many words, derivatives by weights may
                return None
        slopes = dict(zip(self._ones, found, strict=True))
        self._loss.checked(what, {name: slope for (name, _), slope in slopes.items()})
        return {name: self._rows(name, slopes) for name in self._layers}

    def _slopes(
        self, loss: Callable[[], Tensor], weights: Weights, along: Mapping[Site, Tensor] | None, dual: bool
    ) -> list[Tensor]:
        if self._loss.writes:
            raise UnseenError  # to parameters, and not to those that are multiplied
        gates = {site: ones.clone().requires_grad_() for site, ones in self._ones.items()}
        if along is not None:
            gates = {site: forward_mode.make_dual(each, along[site]) for site, each in gates.items()}
        with Multiplying(self._sites, weights, gates, dual) as multiplying:
            try:
                value = loss()
            except PruningError as error:  # the loss does not depend on gates
                if not multiplying.complete:
                    raise UnseenError from error
                raise
        if not multiplying.complete:
            raise UnseenError
        if dual and any(getattr(node, "_forward_cls", Gate) not in (Gate, Bilinear) for node in nodes_of([value])):
            raise UnseenError  # a function of the model's own, whose backward may lose tangents
        slopes = torch.autograd.grad(value, [*gates.values()], materialize_grads=True)
        if not dual:
            return [*slopes]
        tangents = [forward_mode.unpack_dual(slope).tangent for slope in slopes]
        return [torch.zeros_like(s) if t is None else t for s, t in zip(slopes, tangents, strict=True)]

    def _rows(self, group: str, slopes: Mapping[Site, Tensor]) -> Tensor:
        rows = []
        for layer in self._layers[group]:
            row = torch.zeros(self._units[group], dtype=max((s.dtype for s in slopes.values()), key=_digits))
            for part, site in self._acting(layer):
                row.index_add_(0, part.units, slopes[site].cpu()[part.positions].to(row.dtype))
            rows.append(row)
        return torch.stack(rows)


def _digits(dtype: torch.dtype) -> int:
    return dtype.itemsize


@contextmanager
def _dual_level() -> Iterator[None]:
    with forward_mode.dual_level():
        with warnings.catch_warnings():  # what torch loads with the first dual number, it says is deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            forward_mode.make_dual(torch.zeros(()), torch.zeros(()))
        yield
