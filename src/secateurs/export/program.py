"""Networks as exported programs of torch: a graph that runs without the code that made it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from secateurs.core import ExportError, evaluating
from secateurs.export.agreement import Example, Exported, Inputs, checked, inputs_of, tensors_of
from secateurs.export.files import draft
from secateurs.pruner.wrappers import bare


def to_exported_program(
    model: nn.Module, example: Example, path: str | Path, *, tolerance: float = 1e-4, seed: int = 0
) -> Exported:
    """Write a network, masked or cut, as a program of ``torch.export``, which ``torch.export.load(path)`` reads.

    It is in evaluation mode, for any number of examples. The file is read back and compared with the model on the
    example and on random inputs of other sizes before it takes its place. It runs with torch alone. Such
    files hold pickled parts: read only those that you trust (``save_network`` writes files without).

    Args:
        model: the network; it stays as it is.
        example: what it is called with, on its device; the first dimension of every tensor is the batch.
        path: the file, by custom ``.pt2``.
        tolerance: how much an output may differ, as a share of the largest absolute value in it, or of 1.
        seed: of the random inputs.

    Raises:
        ExportError: when torch cannot trace the network (it says why) or cannot leave the number of examples open, the
            program gives something else, or the file cannot be written.
    """
    path, inputs, model = Path(path), inputs_of(example), bare(model)
    with quiet():
        program = traced(model, inputs)
        with draft(path) as file:
            torch.export.save(program, file)
            module = torch.export.load(file).module()

            def run(given: Inputs) -> list[Tensor]:
                with torch.no_grad():
                    return tensors_of(module(*given.args, **given.kwargs))

            difference, calls = checked(model, run, inputs, tolerance, seed, f"{path}: the exported program")
    return Exported(path, path.stat().st_size, difference, calls)


def traced(model: nn.Module, inputs: Inputs) -> ExportedProgram:
    """The program of a network in evaluation mode, with the number of examples left open.

    Raises:
        ExportError: when torch cannot trace the network.
    """
    batch = Dim("batch")
    if inputs.rows == 1:  # torch.export takes a 1 for a constant
        inputs = inputs.map(lambda tensor: torch.cat([tensor, tensor]) if tensor.ndim else tensor)
    shapes: Any = [{0: batch} if tensor.ndim else None for tensor in inputs.tensors]
    shapes = dict(zip(inputs.kwargs, shapes, strict=True)) if inputs.kwargs else tuple(shapes)
    try:
        with evaluating(model), torch.no_grad():
            return torch.export.export(model, inputs.args, inputs.kwargs, dynamic_shapes=shapes)
    except Exception as error:  # of many kinds
        raise ExportError(f"torch.export cannot trace the network: {reason(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch's exporters say about themselves: their own deprecations, packages they can do without."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.fx.experimental.symbolic_shapes")]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)


def reason(error: Exception) -> str:
    """What an error of torch says first; the pages of advice that follow are left out."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
