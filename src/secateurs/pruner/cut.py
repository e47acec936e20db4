"""Channels to keep, found: the others are removed, once and for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Batch, Keep, PruningError, Task, under
from secateurs.how import cut_in_place, remove_channels
from secateurs.pruner.saved import ChannelSavings, channel_savings
from secateurs.pruner.state import snapshot
from secateurs.pruner.tracing import groups_of
from secateurs.pruner.wrappers import device_of, keep_laid_on, plain, plain_keep


@dataclass(frozen=True)
class Cut:
    """The channels that are left.

    Attributes:
        keep: which, by plain names, with the groups of the dense network.
        example: what these were followed with; it is stored, so that they can be followed again.
        times: in how many multiply-adds each weight takes part.
        saved: what it saves of the dense network.
    """

    keep: Keep
    example: Batch
    times: Mapping[str, int] | None
    saved: ChannelSavings

    @classmethod
    def of(cls, model: nn.Module, keep: Keep, example: Batch, times: Mapping[str, int] | None) -> Cut:
        """Of the dense ``model``."""
        return cls(plain_keep(keep), example, times, channel_savings(model, keep, times))

    @property
    def mask(self) -> None:
        """None: nothing is masked."""
        return

    def pruned_copy(self, model: nn.Module) -> nn.Module:
        """A copy without the channels."""
        return remove_channels(model, keep_laid_on(model, self.keep))

    def apply(self, model: nn.Module) -> None:
        """Remove the channels of another dense copy."""
        cut_in_place(model, keep_laid_on(model, self.keep))

    def enforce(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Remove the channels, and what the optimiser remembers of them."""
        cut_in_place(model, keep_laid_on(model, self.keep), optimizer)

    def warn(self) -> None:
        """Nothing: a layer keeps a channel at least."""

    def savings(self, model: nn.Module) -> ChannelSavings:  # noqa: ARG002
        """What was worked out of the dense network."""
        return self.saved

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Which channels are kept, and the example; the groups are followed anew."""
        tensors = snapshot({**self.keep}, "keep")
        return tensors | snapshot(self.example._asdict(), "example"), {"times": self.times}

    @classmethod
    def from_state(
        cls,
        tensors: Mapping[str, Tensor],
        meta: Mapping[str, Any],
        model: nn.Module,
        task: Task,
        exclude: Sequence[str],
    ) -> Cut:
        """What :meth:`state` gave, of the dense ``model``.

        Raises:
            PruningError: when the model has other channels.
        """
        kept = under("keep", tensors)
        example = Batch(**{name: part.to(device_of(model)) for name, part in under("example", tensors).items()})
        groups = {plain(group.name): group for group in groups_of(model, task, example, exclude)}
        for name, flags in kept.items():
            if name not in groups or groups[name].units != len(flags):
                found = f"{groups[name].units} channels" if name in groups else "no channels"
                raise PruningError(
                    f"load_state_dict: the state has {len(flags)} channels of {name!r}, the model has {found} that "
                    "could be removed: build the dense network that the run began with, and the pruner with it"
                )
        chosen = [group for name, group in groups.items() if name in kept]
        keep = Keep(chosen, {group.name: kept[plain(group.name)].cpu() for group in chosen})
        return cls.of(model, keep, example, meta["times"])
