"""Slow oracles for channel scores, in float64: gates that are really there, and sums one number at a time."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Group, Member, prunable
from toys import Fixed


class Gated:
    """A copy of the model in float64 in which each channel's layers are multiplied by gates, all of them 1.

    Args:
        model: the network.
        data: all of it is one batch.
        groups: whose units have gates.
        role: ``"output"`` puts gates after the layers that make the channel, ``"norm"`` after its norms.
        shared: the layers of a group have one gate together.
        training: batch norms normalise with the batch's own statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Fixed,
        groups: Sequence[Group],
        *,
        role: str = "output",
        shared: bool = False,
        training: bool = False,
    ) -> None:
        self.net = copy.deepcopy(model).double().train(training)
        (batch,) = data.batches(len(data))
        self.batch = Batch(batch.inputs.double(), batch.targets)
        self.gates: dict[str, dict[str, Tensor]] = {}
        for group in groups:
            of_group = self.gates.setdefault(group.name, {})
            one = torch.ones(group.units, dtype=torch.float64, requires_grad=True)
            for member in group.members:
                layer = member.name.rpartition(".")[0]
                if member.role == role and layer not in of_group:
                    of_group[layer] = one if shared else one.detach().clone().requires_grad_()
                    self._gate(layer, of_group[layer], member)

    def _gate(self, layer: str, gate: Tensor, member: Member) -> None:
        def hook(module: nn.Module, args: object, output: Tensor) -> Tensor:
            factors = [torch.ones((), dtype=torch.float64)] * output.shape[1]
            for unit, positions in enumerate(member.index):
                for position in positions:
                    factors[position] = gate[unit]
            return output * torch.stack(factors).view(1, -1, *(1,) * (output.ndim - 2))

        self.net.get_submodule(layer).register_forward_hook(hook)

    @property
    def leaves(self) -> list[Tensor]:
        """Each gate vector once."""
        every = [gate for of_group in self.gates.values() for gate in of_group.values()]
        return list({id(gate): gate for gate in every}.values())

    def loss(self) -> Tensor:
        logits = self.net(self.batch.inputs)
        log_p = logits - logits.logsumexp(1, keepdim=True)
        return -log_p[torch.arange(len(log_p)), self.batch.targets].mean()

    def gradient(self) -> list[Tensor]:
        """dL/dc for each gate vector."""
        return list(torch.autograd.grad(self.loss(), self.leaves, allow_unused=True, materialize_grads=True))

    def flow(self, names: Sequence[str] | None = None) -> list[Tensor]:
        """d/dc <stopgrad(g), g> for each gate vector, g over all prunable weights or over ``names``."""
        parameters = dict(self.net.named_parameters())
        over = [parameters[name] for name in (names or prunable(self.net))]
        g = torch.autograd.grad(self.loss(), over, create_graph=True)
        product = torch.stack([(one.detach() * one).sum() for one in g]).sum()
        return list(torch.autograd.grad(product, self.leaves))

    def hessian_gradient(self, only: str | None = None) -> list[Tensor]:
        """H_cc g_c with H written out row by row; of one group's gates alone, if one is named."""
        leaves = self.leaves if only is None else list({id(g): g for g in self.gates[only].values()}.values())
        first = torch.autograd.grad(self.loss(), leaves, create_graph=True)
        g = torch.cat(first)
        rows = [torch.cat(torch.autograd.grad(entry, leaves, retain_graph=True)) for entry in g]
        return list((torch.stack(rows) @ g.detach()).split([len(leaf) for leaf in leaves]))

    def scores(self, of_leaves: Sequence[Tensor]) -> dict[str, Tensor]:
        """Sum over the group's gate vectors of their absolute values."""
        known = {id(leaf): values.detach().abs() for leaf, values in zip(self.leaves, of_leaves, strict=True)}
        found = {}
        for name, gates in self.gates.items():
            own = {id(gate): known[id(gate)] for gate in gates.values()}
            found[name] = torch.stack(list(own.values())).sum(0)
        return found


def entries(
    model: nn.Module, group: Group, unit: int, roles: Sequence[str], counts: Callable[[str, Tensor], bool]
) -> dict[tuple[str, int], str]:
    """What belongs to a unit: (parameter, flat position) -> layer, each once, one position after the other."""
    parameters = dict(model.named_parameters())
    found: dict[tuple[str, int], str] = {}
    for member in group.members:
        if member.role not in roles or not counts(member.name, parameters[member.name]):
            continue
        shape = parameters[member.name].shape
        for place in itertools.product(*(range(size) for size in shape)):
            if place[member.dim] in member.index[unit]:
                flat = sum(p * math.prod(shape[d + 1 :]) for d, p in enumerate(place))
                found.setdefault((member.name, flat), member.name.rpartition(".")[0])
    return found


def brute(
    model: nn.Module,
    groups: Sequence[Group],
    values: Mapping[str, Tensor],
    reduce: str,
    absolute: str,
    *,
    roles: Sequence[str] = ("output",),
    counts: Callable[[str, Tensor], bool] = lambda name, p: p.ndim > 1,
) -> dict[str, Tensor]:
    """The reduction of signed values to units, one Python number at a time."""
    found = {}
    for group in groups:
        scores = []
        for unit in range(group.units):
            own = entries(model, group, unit, roles, counts)
            numbers = [float(values[name].flatten()[at]) for name, at in own]
            layers = list(own.values())
            if absolute == "inside":
                numbers = [abs(x) for x in numbers]
            if absolute == "filter":
                by_layer = dict.fromkeys(layers, 0.0)
                for x, layer in zip(numbers, layers, strict=True):
                    by_layer[layer] += x
                total = sum(map(abs, by_layer.values()))
            else:
                total = abs(sum(numbers)) if absolute == "outside" else sum(numbers)
            scores.append(
                {
                    "sum": total,
                    "mean": total / len(numbers),
                    "max": max(numbers),
                    "norm": math.sqrt(sum(x * x for x in numbers)),
                }[reduce]
            )
        found[group.name] = torch.tensor(scores, dtype=torch.float64)
    return found
