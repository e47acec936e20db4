"""Tasks: what a network is for - its loss, its predictive distribution, its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Batch, DataError


@dataclass(frozen=True)
class Categorical:
    """p(y | x) over C classes, given by logits ``[N, C]``; differentiable in the logits.

    >>> p = Categorical(torch.zeros(2, 4))
    >>> p.log_prob(torch.tensor([0, 3])).exp()
    tensor([0.2500, 0.2500])
    """

    logits: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """One class per example, ``[N]``, drawn on the CPU so that every device draws the same.

        Where logits are not finite any class may come: ``log_prob`` is NaN there for all of them,
        so that nothing measured on a diverged network can pass for a number.
        """
        probabilities = self.logits.detach().cpu().double().softmax(-1)
        probabilities = probabilities.nan_to_num(nan=1.0)
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(1).to(self.logits.device)

    def log_prob(self, y: Tensor) -> Tensor:
        """log p(y | x), ``[N]``."""
        return F.log_softmax(self.logits, dim=-1).gather(-1, y.unsqueeze(-1)).squeeze(-1)

    @torch.no_grad()
    def factors(self) -> Iterator[Tensor]:
        """C - 1 vectors ``[N, C]`` with sum_k u_k u_k' = diag p - p p', the covariance of d log p(y|x) / d logits.

        u_k = sqrt(p) * b_k, with b_k an orthonormal basis of the complement of sqrt(p): the columns
        but the first of the reflection that takes sqrt(p) to the first axis. Each sums to 0.
        """
        root = self.logits.double().softmax(-1).sqrt()
        # root + (1, 0, ..., 0) is the reflection's normal, of squared length 2 + 2 root_0: never small.
        normal = root.clone()
        normal[..., 0] += 1
        for k in range(1, root.shape[-1]):
            basis = -normal * (root[..., k : k + 1] / normal[..., :1])
            basis[..., k] += 1
            yield (root * basis).to(self.logits.dtype)


@dataclass(frozen=True)
class Classification:
    """Single-label classification over ``num_classes`` classes with cross-entropy.

    >>> task = Classification(3)
    >>> batch = Batch(torch.zeros(2, 5), torch.tensor([0, 2]))
    >>> logits = torch.zeros(2, 3)
    >>> round(float(task.loss(logits, batch)), 4)
    1.0986
    >>> {k: float(v) for k, v in task.metrics(logits, batch).items()}["correct"]
    1.0
    """

    num_classes: int

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DataError(f"classification needs at least 2 classes, got {self.num_classes}")

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits ``[N, C]``."""
        logits: Tensor = model(batch.inputs)
        return logits

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of each example, ``[N]``, in nats."""
        return F.cross_entropy(output, batch.targets, reduction="none")

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy, a scalar."""
        return F.cross_entropy(output, batch.targets)

    def smoothed_loss(self, output: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Mean cross-entropy against (1 - smoothing) * target + smoothing / C, a scalar."""
        return F.cross_entropy(output, batch.targets, label_smoothing=smoothing)

    def size(self, batch: Batch) -> int:
        """Number of examples in the batch."""
        return len(batch.targets)

    def predictive(self, output: Tensor) -> Categorical:
        """p(y | x; theta)."""
        return Categorical(output)

    def correct(self, output: Tensor, batch: Batch) -> Tensor:
        """Whether the highest logit is that of the target, ``[N]``, bool."""
        return output.argmax(-1) == batch.targets

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch: ``loss`` and ``correct``."""
        return {"loss": self.losses(output, batch).sum(), "correct": self.correct(output, batch).sum()}
