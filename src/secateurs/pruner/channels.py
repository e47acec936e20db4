"""From scores to what is left of the network: channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from secateurs.core import Group, Keep, Member, PruningError, Spec, Task, generator_for
from secateurs.how import keep_density, keep_top_channels, remove_channels
from secateurs.pruner.cut import Cut
from secateurs.pruner.fitting import largest_keep
from secateurs.pruner.latency import forward_milliseconds
from secateurs.pruner.outcome import Scene, What
from secateurs.pruner.saved import channel_savings
from secateurs.pruner.targets import Flops, Latency, Size
from secateurs.pruner.tracing import groups_of
from secateurs.pruner.wrappers import plain
from secateurs.what import CHANNELS_WITHOUT_EXAMPLES, channel_score, check_channel_score

_A_TENTH = 0.1
_PARTS = 2**26  # of the densities, where a cost is counted: every unit of any network
_PARTS_MEASURED = 2**10  # where each trial is measured
_ANY = (Group("any", 1, (Member("any.weight", 0, ((0,),), "output"),), weights={"any.weight": (1,)}),)


@dataclass(frozen=True)
class Channels:
    """Whole channels: they are physically removed, and with them what the optimiser remembers of them.

    The modules stay the same objects with new, smaller parameters, so that the loop and its schedules go on; what
    holds on to the old *parameters* (a list made for clipping, averages made by hand, DistributedDataParallel) must be
    made anew. In evaluation mode the network computes what it would with the channels masked.

    Channels that are made by a frozen layer stay.

    Args:
        density: share of what is ``counted`` that is kept, in (0, 1]; 0.1, unless there is a target. What is left is
            at or below it by less than the last unit removed.
        counted: "weights": of the prunable weights; "channels": of the channels.
        scope: "global" ranks all channels together, "layer" keeps the same share of each layer.
        minimum: channels that each layer keeps at least: a number, or a share of its own in (0, 1).
        multiple_of: the number of channels of each layer that is cut is a multiple of this (8, 16: for the hardware);
            None: of 1.
        exclude: names of modules that make or read no channel that goes.
        target: what the network may cost, in place of the density: ``Size(mebibytes=...)``, ``Flops(share=...)`` or
            ``Latency(milliseconds=...)``. The network is the largest that meets it, given the scores.

    Raises:
        PruningError: when an option is out of its range.

    >>> Channels(0.25, counted="channels", multiple_of=8).density
    0.25
    >>> Channels(target=Latency(milliseconds=5)).density is None
    True
    """

    density: float | None = None
    _: KW_ONLY
    counted: Literal["weights", "channels"] = "weights"
    scope: Literal["global", "layer"] = "global"
    minimum: float = 1
    multiple_of: int | None = None
    exclude: tuple[str, ...] = ()
    target: Size | Flops | Latency | None = None

    default_score: ClassVar[str] = "filter_norm"
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.target is not None and not isinstance(self.target, Size | Flops | Latency):
            raise PruningError(
                "how.target: expected Size(mebibytes=...), Flops(share=...) or Latency(milliseconds=...), got "
                f"{type(self.target).__name__}"
            )
        if self.target is not None and self.density is not None:
            raise PruningError(f"how: give a density or a target, not both: got {self.density!r} and {self.target}")
        if self.target is None and self.density is None:
            object.__setattr__(self, "density", _A_TENTH)
        some, one = _A_TENTH if self.density is None else self.density, {"any": torch.zeros(1)}
        keep_top_channels(_ANY, one, some, counted="channels", scope="layer")  # raises where it says nothing
        keep_top_channels(
            _ANY,
            one,
            1.0,
            counted=self.counted,
            scope=self.scope,
            minimum=self.minimum,
            multiple_of=self._multiple,
        )

    @property
    def reads_examples(self) -> bool:
        """A forward pass is followed with one."""
        return True

    @property
    def _multiple(self) -> int:
        return 1 if self.multiple_of is None else self.multiple_of

    def needs_data(self, what: What) -> bool:
        """Whether the score looks at examples."""
        spec = Spec(what) if isinstance(what, str) else what
        if not isinstance(spec, Spec):
            return True
        check_channel_score(spec, "what")
        return spec.name not in CHANNELS_WITHOUT_EXAMPLES

    def names(self, model: nn.Module) -> list[str]:
        """What can be trained and is not excluded: any of it may be cut.

        Raises:
            PruningError: when there is nothing.
        """
        names = [name for name, p in model.named_parameters() if p.requires_grad and not self._excludes(plain(name))]
        if not names:
            raise PruningError(f"{type(model).__name__} has nothing that is trained and not excluded")
        return names

    def check(self, model: nn.Module) -> None:
        """See that there is something to cut, on one device, and that the dense network is above the target.

        Raises:
            PruningError: when it is not so.
        """
        self.names(model)
        devices = {p.device: plain(name) for name, p in model.named_parameters()}
        if len(devices) > 1:
            where = ", ".join(f"{name} is on {device}" for device, name in devices.items())
            raise PruningError(f"how: channels are removed of a model on one device: {where}")
        dense = sum(p.numel() * p.element_size() for p in model.parameters())
        if isinstance(self.target, Size) and self.target.allowed(dense) >= dense:
            raise PruningError(
                f"target: the dense network takes {self.target.told(dense, dense)}, which {self.target} allows: there "
                "is nothing to prune"
            )

    def rehearse(self, scene: Scene) -> None:
        """Follow the forward pass and see whether the density or the target can be reached at all.

        Raises:
            PruningError: when it cannot, or the dense network is fast enough.
        """
        groups = self._groups(scene)
        alike = {group.name: torch.ones(group.units) for group in groups}
        if self.target is None:
            self._choose(groups, alike, _A_TENTH if self.density is None else self.density)
            return
        dense, _ = self._check_reach(scene, groups, alike, self.target)
        if isinstance(self.target, Latency) and scene.ranks.agree(dense <= self.target.allowed(dense)):
            raise PruningError(
                f"target: a forward pass of the dense network takes {self.target.told(dense, dense)}, which "
                f"{self.target} allows: there is nothing to prune"
            )

    def find(self, scene: Scene) -> Cut:
        """The best channels; the score sees those of the layers that are not frozen."""
        groups = self._groups(scene)
        found = channel_score(
            scene.model,
            scene.task,
            scene.batches,
            groups,
            name=scene.what,  # type: ignore[arg-type]  # a function of one's own is one for channels
            generator=generator_for("pruning", scene.seed),
        )
        scores = scene.ranks.mean_scores(found)
        if self.target is None:
            keep = self._choose(groups, scores, _A_TENTH if self.density is None else self.density)
        else:
            keep = self._fitted(scene, groups, scores, self.target)
        return Cut.of(scene.model, scene.ranks.share_keep(keep), scene.example(), scene.times)

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], model: nn.Module, task: Task) -> Cut:
        """What a state holds, of the dense model."""
        return Cut.from_state(tensors, meta, model, task, self._inside(model))

    def _groups(self, scene: Scene) -> tuple[Group, ...]:
        model = scene.model
        groups = groups_of(model, scene.task, scene.example(), self._inside(model))
        free = tuple(group for group in groups if not _frozen(model, group))
        if not free:
            raise PruningError("how: all channels that could be removed are made by frozen layers")
        return free

    def _choose(self, groups: tuple[Group, ...], scores: Mapping[str, Tensor], density: float) -> Keep:
        return keep_top_channels(
            groups,
            scores,
            density,
            counted=self.counted,
            scope=self.scope,
            minimum=self.minimum,
            multiple_of=self._multiple,
        )

    def _fitted(
        self, scene: Scene, groups: tuple[Group, ...], scores: Mapping[str, Tensor], target: Size | Flops | Latency
    ) -> Keep:
        dense, least = self._check_reach(scene, groups, scores, target)
        allowed = target.allowed(dense)
        return largest_keep(
            lambda density: self._choose(groups, scores, density),
            lambda keep: scene.ranks.agree(_cost(scene, keep, target) <= allowed),
            0.0 if (self.scope, self.counted) == ("layer", "channels") else keep_density(least, self.counted),
            _PARTS_MEASURED if isinstance(target, Latency) else _PARTS,
        )

    def _check_reach(
        self, scene: Scene, groups: tuple[Group, ...], scores: Mapping[str, Tensor], target: Size | Flops | Latency
    ) -> tuple[float, Keep]:
        """What the dense network costs, and the smallest choice, which meets the target."""
        dense = _cost(scene, Keep(groups, {}), target)
        smallest = keep_top_channels(
            groups,
            scores,
            1 / _PARTS,
            counted="channels",
            scope="layer",
            minimum=self.minimum,
            multiple_of=self._multiple,
        )
        cost = _cost(scene, smallest, target)
        if not scene.ranks.agree(cost <= target.allowed(dense)):
            raise PruningError(
                f"target: {target} cannot be reached: with as few channels as may be it is "
                f"{target.told(cost, dense)}, of the dense network {target.told(dense, dense)}"
            )
        return dense, smallest

    def _excludes(self, name: str) -> bool:
        return any(name == each or name.startswith(f"{each}.") for each in self.exclude)

    def _inside(self, model: nn.Module) -> tuple[str, ...]:
        """The names of the excluded modules as the model has them, compiled parts included."""
        names = {plain(name): name for name, _ in model.named_modules()}
        return tuple(names.get(each, each) for each in self.exclude)


def _cost(scene: Scene, keep: Keep, target: Size | Flops | Latency) -> float:
    if not isinstance(target, Latency):
        return target.of(channel_savings(scene.model, keep, scene.times))
    if scene.usual is None:
        raise PruningError("target: Latency needs a batch to measure with: step() shows one")
    return forward_milliseconds(remove_channels(scene.model, keep), scene.task, scene.usual)


def _frozen(model: nn.Module, group: Group) -> bool:
    """Whether a layer that makes the group's channels is not trained."""
    made: Iterator[str] = (member.name for member in group.members if member.role == "output")
    return not all(model.get_parameter(name).requires_grad for name in made)
