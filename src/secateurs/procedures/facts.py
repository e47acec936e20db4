"""What to report of what is left of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from secateurs.core import Keep, prunable
from secateurs.how import Mask, channel_mask, keep_density


def mask_facts(mask: Mask, model: nn.Module) -> dict[str, Any]:
    """What to report of a mask: density over prunable weights and over all parameters, by layer, and what is empty.

    ``unit_sparsity`` are 101 shares, those of convolution channels with a sparsity of at least s %,
    s = 0..100 (P2 figure 5-6), and ``emptied`` is the last of them: channels without any weight left.
    Where the mask covers no convolution, the neurons of its layers are counted.

    >>> net = nn.Linear(2, 4)
    >>> facts = mask_facts(Mask({"weight": torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])}), net)
    >>> facts["emptied"], facts["unit_sparsity"][0], facts["unit_sparsity"][50], facts["unit_sparsity"][51]
    (0.25, 1.0, 0.5, 0.25)
    """
    every = sum(p.numel() for p in model.parameters())
    sparsity = _unit_sparsity(mask)
    return {
        "density": mask.density,
        "density_of_all_parameters": (every - mask.total + mask.kept) / every,
        "layer_densities": mask.layer_densities(),
        "empty_layers": list(mask.empty_layers()),
        "unit_sparsity": sparsity,
        "emptied": sparsity[-1],
    }


def channel_facts(keep: Keep, dense_model: nn.Module) -> dict[str, Any]:
    """What to report of channels: what :func:`mask_facts` has of the weights that are left, and how many units are.

    Densities are of the dense network's prunable weights (P1's weight sparsity is 1 - that); of all parameters,
    biases and normalisation go with their channels. ``units`` is group -> [kept, all]; ``node_density`` the share of
    the channels that are left (P1).

    Raises:
        PruningError: when ``keep`` is not of ``dense_model``.

    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> keep = Keep(channel_groups(net, torch.zeros(1, 3)), {"0": torch.tensor([True, False, False, True])})
    >>> facts = channel_facts(keep, net)
    >>> facts["density"], facts["units"], facts["node_density"], facts["layer_densities"]
    (0.5, {'0': [2, 4]}, 0.5, {'0.weight': 0.5, '2.weight': 0.5})
    """
    left = channel_mask(dense_model, keep)
    weights = Mask.full(prunable(dense_model))
    every = sum(p.numel() for p in dense_model.parameters())
    return {
        **mask_facts(Mask({name: left.get(name, kept) for name, kept in weights.items()}), dense_model),
        "density_of_all_parameters": (every - left.total + left.kept) / every,
        "units": {name: [int(kept.sum()), len(kept)] for name, kept in keep.items()},
        "node_density": keep_density(keep, "channels"),
    }


def _unit_sparsity(mask: Mask) -> list[float]:
    units = mask.unit_densities()
    convolutions = [densities for name, densities in units.items() if mask[name].ndim >= 3]
    densities = torch.cat(convolutions or list(units.values()))
    # Both sides are the nearest floats to quotients of whole numbers: they compare as the quotients do.
    at_most = torch.arange(100, -1, -1, dtype=torch.float64) / 100
    shares: list[float] = (densities <= at_most[:, None]).double().mean(1).tolist()
    return shares
