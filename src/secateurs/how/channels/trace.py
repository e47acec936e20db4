"""What following a forward pass tells: labels of tensors, and what of the model goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from secateurs.core.groups import Role
from secateurs.how.channels.branches import Way
from secateurs.how.channels.labels import FIXED, Nodes, core


@dataclass(frozen=True)
class Flow:
    """What is known of a tensor: its labels, and whether its entries are 0 where its channels are masked."""

    labels: Tensor
    clean: bool = True

    @property
    def fixed(self) -> bool:
        return not bool((core(self.labels) != FIXED).any())


@dataclass(frozen=True)
class Source:
    """A parameter, or a transposed view or a part of one: ``dims[i]`` is the parameter's dimension behind dimension i.

    It is -1 where there is none, or only a part of it: the parameter cannot be cut along it.
    """

    name: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Blank:
    """What is known of a tensor of zeros that ``forward`` makes: it may be as wide as what it meets."""


@dataclass(frozen=True)
class Given:
    """What is known of a tensor that follows from the model's inputs alone: it stays, as they do."""


@dataclass
class Cut:
    """One dimension of a tensor of the model and the label of each position along it."""

    labels: Tensor
    role: Role


@dataclass(frozen=True)
class Padded:
    """Zero channels that a padding module adds: their labels before and after those it gets."""

    module: str
    before: Tensor
    after: Tensor


@dataclass
class Trace:
    """What a forward pass told: nodes and their unions, tensor dimensions with their labels, paddings.

    Loose nodes are entries of parameters and buffers that no layer has met yet. Also how often each module was called,
    the ways that were followed, and the numbers that the operations on entries were called with (the module, the
    operation, its numbers).
    """

    nodes: Nodes = field(default_factory=Nodes)
    cuts: dict[tuple[str, int], Cut] = field(default_factory=dict)
    paddings: list[Padded] = field(default_factory=list)
    alike: list[tuple[Sequence[Tensor], str]] = field(default_factory=list)
    whole: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    loose: set[int] = field(default_factory=set)
    ways: list[Way] = field(default_factory=list)
    scalars: list[tuple[str, str, tuple[float, ...]]] = field(default_factory=list)

    def cut(self, name: str, dim: int, labels: Tensor, role: Role) -> None:
        """Positions of ``name`` along ``dim`` go with ``labels`` [positions]; twice: both are one."""
        known = self.cuts.get((name, dim))
        if known is None:
            self.cuts[name, dim] = Cut(labels, role)
        else:
            self.nodes.unite(known.labels, labels)

    def made(self, name: str, dim: int, number: int) -> Tensor:
        """Labels [number] of the channels that a layer's weight makes; a weight used twice makes the same ones.

        A layer's only channel stays, so that it may be broadcast.
        """
        if (name, dim) not in self.cuts:
            self.cut(name, dim, self.nodes.fresh(number) if number > 1 else torch.tensor([FIXED]), "output")
        return self.cuts[name, dim].labels

    def is_loose(self, labels: Tensor) -> bool:
        """Whether no layer makes or reads what there is along the labels."""
        return bool(self.loose) and set(core(labels).unique().tolist()) <= self.loose | {FIXED}

    def padded(self, module: str, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Labels of the zeros that a padding module adds; on another way through forward() it adds the same."""
        known = next((each for each in self.paddings if each.module == module), None)
        if known is None:
            known = Padded(module, before, after)
            self.paddings.append(known)
        return known.before, known.after

    def settle(self) -> None:
        """Tensors used in ways that cannot follow a cut stay whole, and so do unequal pieces of a split.

        Pieces stay equally long only if what goes from one goes from all.
        """
        for (name, _), cut in self.cuts.items():
            if name in self.whole:
                self.nodes.fix(cut.labels, self.whole[name])
        while True:
            roots = self.nodes.roots()
            still: list[tuple[Sequence[Tensor], str]] = []
            changed = False
            for pieces, why in self.alike:
                found = [roots[piece.numpy()] for piece in pieces]
                if all(len(f) == len(found[0]) and (f == found[0]).all() for f in found):
                    still.append((pieces, why))
                    continue
                changed = True
                for piece in pieces:
                    self.nodes.fix(piece, why)
            self.alike = still
            if not changed:
                return
