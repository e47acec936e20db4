"""What every way of pruning has in common: what it looks at, what it finds, and how that is put in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Batch, Keep, PruningError, ScoreFn, Spec, Task
from secateurs.how import Enforcement, Mask
from secateurs.pruner.after import Savings
from secateurs.pruner.ranks import Ranks
from secateurs.pruner.saved import ChannelSavings
from secateurs.what import ChannelScoreFn

What = str | Spec | ScoreFn | ChannelScoreFn
"""A score: by name, as a Spec with options, or a function."""

_TRACED = 2  # examples: a dimension of one may be squeezed away, or broadcast


@dataclass(frozen=True)
class Scene:
    """What a network is pruned by: itself, and examples of what it is for.

    Attributes:
        model: the bare network, as it stands.
        batches: what a score sees; empty where no example is kept.
        usual: a batch as large as the loop's, to measure time with.
        times: in how many multiply-adds each weight takes part, by plain name; None without examples.
        ranks: who else trains it.
        seed: of what the score draws.
    """

    model: nn.Module
    task: Task
    what: What
    batches: Sequence[Batch]
    usual: Batch | None
    times: Mapping[str, int] | None
    ranks: Ranks
    seed: int

    def example(self) -> Batch:
        """The first examples, to follow a forward pass with.

        Raises:
            PruningError: when none is kept.
        """
        if not self.batches:
            raise PruningError("how: needs an example, and none was seen yet: step() shows them, or give data=")
        return Batch(*(part[:_TRACED] for part in self.batches[0]))


class Outcome(Protocol):
    """What is left of a network, found and not yet in force: a mask, or channels to keep."""

    @property
    def mask(self) -> Mask | None:
        """The mask, by plain names, where weights are pruned."""
        ...

    @property
    def keep(self) -> Keep | None:
        """The channels that stay, where channels are removed."""
        ...

    def pruned_copy(self, model: nn.Module) -> nn.Module:
        """A pruned copy of the network, which is left as it is."""
        ...

    def apply(self, model: nn.Module) -> None:
        """Prune another copy of the dense network, once, in place."""
        ...

    def enforce(self, model: nn.Module, optimizer: Optimizer) -> Enforcement | None:
        """Prune the network itself, for the rest of its training; a failure leaves everything as it was."""
        ...

    def warn(self) -> None:
        """Warn of what is left, where it is too little."""
        ...

    def savings(self, model: nn.Module) -> Savings | ChannelSavings:
        """What it saves of ``model``, pruned by it already or not."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """As tensors and JSON."""
        ...


class How(Protocol):
    """From scores to what is left."""

    default_score: ClassVar[str]
    """By what it prunes where nobody says otherwise."""
    cuts: ClassVar[bool]
    """Whether the network gets new, smaller parameters."""

    @property
    def reads_examples(self) -> bool:
        """Whether it needs an example, whatever the score needs."""
        ...

    def needs_data(self, what: What) -> bool:
        """Whether the score needs data.

        Raises:
            PruningError: for an unknown score or option.
        """
        ...

    def names(self, model: nn.Module) -> list[str]:
        """The parameters that it may prune, which the optimiser has to hold.

        Raises:
            PruningError: when there are none, or it does not fit the model.
        """
        ...

    def check(self, model: nn.Module) -> None:
        """Refuse before training what can be seen to fail at the end of it.

        Raises:
            PruningError: when the model cannot be pruned so.
        """
        ...

    def rehearse(self, scene: Scene) -> None:
        """Refuse after an epoch what can be seen to fail only with examples.

        Raises:
            PruningError: when the model cannot be pruned so.
        """
        ...

    def find(self, scene: Scene) -> Outcome:
        """What is left, the same on all ranks; the model is left untouched."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], model: nn.Module, task: Task) -> Outcome:
        """What :meth:`Outcome.state` gave, of the dense ``model``.

        Raises:
            PruningError: when it does not fit the model.
        """
        ...
