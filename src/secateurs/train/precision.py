"""Low precision: whether a device has it, and a training step's forward and backward pass in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from secateurs.core import Batch, Task, TrainingError
from secateurs.train.settings import Precision, TrainSettings

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Arithmetic:
    """How the numbers of a training step are computed; for float32 and no clipping, as if it were not there.

    Args:
        settings: ``precision``, ``channels_last`` and ``clip_norm``.
        device: of the model.
        scaler: the state of float16's loss scale, as :meth:`scaler_state` gave it; None: a fresh one.

    Raises:
        TrainingError: when the device does not have the precision.
    """

    def __init__(self, settings: TrainSettings, device: torch.device, scaler: Mapping[str, Any] | None) -> None:
        check_precision(settings.precision, device)
        self._dtype = _DTYPES.get(settings.precision)
        self._device_type = device.type
        self._channels_last = settings.channels_last
        self._clip_norm = settings.clip_norm
        self._scaler = torch.amp.GradScaler(device.type) if self._dtype == torch.float16 else None
        if self._scaler is not None and scaler is not None:
            self._scaler.load_state_dict(dict(scaler))

    def output(self, task: Task, model: nn.Module, batch: Batch) -> Tensor:
        """The model's output, computed in the chosen precision, given in float32 for the loss to be exact."""
        if self._channels_last and batch.inputs.ndim == 4:
            batch = Batch(batch.inputs.contiguous(memory_format=torch.channels_last), batch.targets)
        if self._dtype is None:
            return task.output(model, batch)
        with torch.autocast(self._device_type, self._dtype):
            return task.output(model, batch).float()

    def backward(self, loss: Tensor) -> None:
        """The backward pass; of float16 the gradients are scaled."""
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()

    def step(self, optimizer: Optimizer) -> None:
        """Clipping and the optimiser's step; what stays in ``.grad`` is the gradient that was used.

        float16 looks at the device once a step, to know whether a gradient overflowed; the others never do.
        """
        if self._scaler is None:
            self._clip(optimizer)
            optimizer.step()
            return
        self._scaler.unscale_(optimizer)
        self._clip(optimizer)
        self._scaler.step(optimizer)
        self._scaler.update()

    def scaler_state(self) -> dict[str, Any] | None:
        """float16's loss scale as JSON, to go on from; None in other precisions."""
        return None if self._scaler is None else self._scaler.state_dict()

    def _clip(self, optimizer: Optimizer) -> None:
        if self._clip_norm is not None:
            clip_grad_norm_((p for group in optimizer.param_groups for p in group["params"]), self._clip_norm)


def check_precision(precision: Precision, device: torch.device) -> None:
    """Whether ``device`` computes in ``precision`` itself: emulation is slower than float32 and serves no one.

    Raises:
        TrainingError: with the remedy, when it does not.

    >>> check_precision("float16", torch.device("cpu"))
    Traceback (most recent call last):
    ...
    secateurs.core.errors.TrainingError: train.precision: float16 needs a CUDA device, not cpu: use float32, ...
    """
    if precision == "float16" and device.type != "cuda":
        raise TrainingError(
            f"train.precision: float16 needs a CUDA device, not {device.type}: use float32, or bfloat16 where it is had"
        )
    if precision == "bfloat16" and not _has_bfloat16(device):
        lacking = "this CPU has no bfloat16 instructions (avx512_bf16, amx_bf16)"
        what = lacking if device.type == "cpu" else f"{device.type} has no bfloat16"
        remedy = "float32" + (", or float16" if device.type == "cuda" else "")
        raise TrainingError(f"train.precision: {what}: use {remedy}")


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return bool(torch.cpu._is_avx512_bf16_supported())  # older versions tell it nowhere else
