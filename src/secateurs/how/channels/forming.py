"""From the labels of a trace to groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from secateurs.core import Group, Member, Padding
from secateurs.core.groups import Index
from secateurs.how.channels.counting import layer_of
from secateurs.how.channels.labels import FIXED, Nodes
from secateurs.how.channels.trace import Trace

Numbers = NDArray[np.int64]


def form(trace: Trace, weights: Mapping[str, tuple[int, ...]]) -> tuple[Group, ...]:
    """The groups of a trace: layers whose output channels are coupled are of one group, coupled channels one unit.

    Units stand in the order in which the layers make them. ``weights`` are the shapes that each group carries.
    """
    roots = trace.nodes.roots()
    found = {key: roots[cut.labels.numpy()] for key, cut in trace.cuts.items()}
    layers = [key for key, cut in trace.cuts.items() if cut.role == "output"]
    first = np.full(trace.nodes.count, -1, dtype=np.int64)  # root -> the first layer that makes it
    coupled = Nodes()
    own = coupled.fresh(len(layers))
    for number, key in enumerate(layers):
        mine = np.unique(found[key][found[key] != FIXED])
        met = mine[first[mine] >= 0]
        coupled.unite(own[torch.from_numpy(first[met])], own[number])
        first[mine[first[mine] < 0]] = number
    of_layer = coupled.roots()[own.numpy()]
    place = np.full(trace.nodes.count, -1, dtype=np.int64)  # root -> its place among the units of its group
    home = np.full(trace.nodes.count, -1, dtype=np.int64)  # root -> group, as the first of its layers
    sizes: dict[int, int] = {}
    for number, key in enumerate(layers):
        group = int(of_layer[number])
        for root in dict.fromkeys(found[key].tolist()):
            if root != FIXED and place[root] < 0:
                place[root], home[root] = sizes.get(group, 0), group
                sizes[group] = sizes.get(group, 0) + 1
    shared: dict[tuple[int, bytes], Index] = {}

    def index(line: Numbers, group: int) -> Index:
        here = np.flatnonzero(home[line] == group)
        units = place[line[here]]
        key = (group, here.tobytes() + units.tobytes())
        if key not in shared:
            ends = np.bincount(units, minlength=sizes[group]).cumsum().tolist()
            positions = here[np.argsort(units, kind="stable")].tolist()
            shared[key] = tuple(tuple(positions[i:j]) for i, j in zip([0, *ends], ends, strict=False))
        return shared[key]

    groups = []
    for group, units in sizes.items():
        if units < 2:
            continue
        members = tuple(
            Member(name, dim, index(line, group), trace.cuts[name, dim].role)
            for (name, dim), line in found.items()
            if (home[line] == group).any()
        )
        paddings = tuple(
            Padding(
                padded.module, index(roots[padded.before.numpy()], group), index(roots[padded.after.numpy()], group)
            )
            for padded in trace.paddings
            if (home[roots[torch.cat([padded.before, padded.after]).numpy()]] == group).any()
        )
        layer = next(name for number, (name, _) in enumerate(layers) if of_layer[number] == group)
        groups.append(Group(layer_of(layer), units, members, paddings, weights))
    return tuple(groups)
