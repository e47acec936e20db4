"""Tasks for Hugging Face models: dictionaries of tensors in, objects with ``logits`` out. They need no extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Batch, DataError
from secateurs.zoo import Categorical, Classification

_IGNORED = -100
"""The label of a position that does not count, in transformers as in torch."""


def logits_of(output: object) -> Tensor | None:
    """The logits of what a model gave: a ModelOutput, a tuple, or a tensor; None where there are none."""
    found = getattr(output, "logits", output)
    if isinstance(found, tuple):  # with labels the loss comes first
        found = next((part for part in found if isinstance(part, Tensor) and part.ndim), None)
    return found if isinstance(found, Tensor) else None


def _pack(batch: Mapping[str, Any], names: tuple[str, ...], length: int | None, labels_too: bool) -> Batch:
    """Inputs in one tensor, ``[N, ...]`` of one, ``[N, len(names), ...]`` of several, and the labels."""
    for name in (*names, "labels"):
        if not isinstance(batch.get(name), Tensor):
            raise DataError(
                f"batch: there is no tensor {name!r} in it, but {', '.join(map(repr, batch))}: name the model's inputs "
                "with the task's inputs="
            )
    columns = [_padded(batch[name], length, 0) for name in names]
    if len({(column.shape, column.dtype) for column in columns}) > 1:
        shapes = ", ".join(f"{name}: {list(batch[name].shape)} {batch[name].dtype}" for name in names)
        raise DataError(f"batch: inputs must be of one shape and dtype to be kept together, got {shapes}")
    labels = _padded(batch["labels"], length, _IGNORED) if labels_too else batch["labels"]
    return Batch(columns[0] if len(columns) == 1 else torch.stack(columns, 1), labels)


def _padded(column: Tensor, length: int | None, value: int) -> Tensor:
    if length is None:
        return column
    if column.ndim != 2 or column.shape[1] > length:
        raise DataError(f"batch: expected [N, at most {length}] to be padded, got {list(column.shape)}: raise length=")
    return F.pad(column, (0, length - column.shape[1]), value=value)


def _called(model: Callable[..., object], inputs: Tensor, names: tuple[str, ...]) -> Tensor:
    columns = (inputs,) if len(names) == 1 else inputs.unbind(1)
    output = model(**dict(zip(names, columns, strict=True)))
    if (logits := logits_of(output)) is None:
        raise DataError(f"expected a model that gives logits, got {type(output).__name__}: give it a head for the task")
    return logits


@dataclass(frozen=True)
class HuggingFaceClassification:
    """Single-label classification by a Hugging Face model (``ForSequenceClassification`` and the like).

    Args:
        num_classes: the model's ``num_labels``.
        inputs: the model's inputs by name; several must be of one shape and dtype, as
            ``("input_ids", "attention_mask")`` are.
        length: pad sequences to this length, where batches differ in theirs; masked positions
            change nothing, so name the attention mask, too.

    Raises:
        DataError: when a batch or an output lacks what is named.

    >>> task = HuggingFaceClassification(3)
    >>> batch = task.pair({"pixel_values": torch.zeros(2, 1, 4, 4), "labels": torch.tensor([0, 2])})
    >>> round(float(task.loss(torch.zeros(2, 3), batch)), 4)
    1.0986
    """

    num_classes: int
    inputs: tuple[str, ...] = ("pixel_values",)
    length: int | None = None

    def __post_init__(self) -> None:
        Classification(self.num_classes)  # raises where it says nothing

    def pair(self, batch: Mapping[str, Any]) -> Batch:
        """A loader's dictionary as a batch: inputs ``[N, ...]``, of several ``[N, K, ...]``; labels ``[N]``."""
        return _pack(batch, self.inputs, self.length, labels_too=False)

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits ``[N, C]``."""
        return _called(model, batch.inputs, self.inputs)

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of each example, ``[N]``, in nats."""
        return self._plain.losses(output, batch)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy, a scalar."""
        return self._plain.loss(output, batch)

    def size(self, batch: Batch) -> int:
        """Number of examples in the batch."""
        return self._plain.size(batch)

    def predictive(self, output: Tensor) -> Categorical:
        """p(y | x; theta)."""
        return self._plain.predictive(output)

    def correct(self, output: Tensor, batch: Batch) -> Tensor:
        """Whether the highest logit is that of the label, ``[N]``, bool."""
        return self._plain.correct(output, batch)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch: ``loss`` and ``correct``."""
        return self._plain.metrics(output, batch)

    @property
    def _plain(self) -> Classification:
        return Classification(self.num_classes)


@dataclass(frozen=True)
class HuggingFaceCausalLM:
    """Next-token prediction by a Hugging Face model (``...ForCausalLM``).

    An example's loss is the mean over its tokens, and the batch's the mean over its examples; where
    lengths differ, transformers' own loss, the mean over all tokens, is a different number. There
    is no predictive distribution over whole sequences: tr(F) and KL-uniform are refused by name.

    Args:
        inputs: the model's inputs by name, of one shape and dtype.
        length: pad sequences to this length, where batches differ in theirs.

    Raises:
        DataError: when a batch or an output lacks what is named.

    >>> task = HuggingFaceCausalLM(inputs=("input_ids",), length=4)
    >>> task.pair({"input_ids": torch.tensor([[5, 6]]), "labels": torch.tensor([[5, 6]])}).targets
    tensor([[   5,    6, -100, -100]])
    """

    inputs: tuple[str, ...] = ("input_ids", "attention_mask")
    length: int | None = None

    def pair(self, batch: Mapping[str, Any]) -> Batch:
        """A loader's dictionary as a batch: inputs ``[N, T]``, of several ``[N, K, T]``; labels ``[N, T]``."""
        return _pack(batch, self.inputs, self.length, labels_too=True)

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits ``[N, T, V]``."""
        return _called(model, batch.inputs, self.inputs)

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy of each example's tokens but the first, ``[N]``, in nats; 0 where no token counts."""
        told, known = output[:, :-1].transpose(1, 2), batch.targets[:, 1:]
        each = F.cross_entropy(told, known, ignore_index=_IGNORED, reduction="none")
        return each.sum(1) / known.ne(_IGNORED).sum(1).clamp(min=1)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean over the examples, a scalar."""
        return self.losses(output, batch).mean()

    def size(self, batch: Batch) -> int:
        """Number of sequences in the batch."""
        return len(batch.targets)

    def correct(self, output: Tensor, batch: Batch) -> Tensor:
        """The share of each example's tokens but the first that is told, ``[N]``, in [0, 1]."""
        known = batch.targets[:, 1:]
        counts = known.ne(_IGNORED)
        return (output[:, :-1].argmax(-1).eq(known) & counts).sum(1) / counts.sum(1).clamp(min=1)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch: ``loss``, and ``correct``, the mean share of tokens told."""
        return {"loss": self.losses(output, batch).sum(), "correct": self.correct(output, batch).sum()}
