"""Networks as ONNX models, checked in ONNX Runtime. Needs the extra ``export``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import ExportError
from secateurs.export.agreement import Example, Exported, Inputs, checked, inputs_of
from secateurs.export.files import draft
from secateurs.export.program import quiet, reason, traced
from secateurs.pruner.wrappers import bare


def to_onnx(
    model: nn.Module, example: Example, path: str | Path, *, tolerance: float = 1e-4, seed: int = 0
) -> Exported:
    """Write a network, masked or cut, as an ONNX model for any number of examples.

    Before the file takes its place, ``onnx.checker`` goes over it, and ONNX Runtime runs it on the CPU beside the
    original, on the example and on random inputs of other sizes. Zeros of a mask are stored as zeros: only removed
    channels make the model smaller. Models above 2 GB get a second file, ``<name>.data``.

    Args:
        model: the network; it is exported in evaluation mode, and stays as it is.
        example: what it is called with, on its device; the first dimension of every tensor is the batch.
        path: the file, by custom ``.onnx``.
        tolerance: how much an output may differ, as a share of the largest absolute value in it, or of 1.
        seed: of the random inputs.

    Raises:
        ExportError: when the extra is not installed, the network cannot be traced or converted, the model does not pass
            the check or gives something else, or the file cannot be written.
    """
    onnx, runtime = (_extra(name) for name in ("onnx", "onnxruntime"))
    _extra("onnxscript")
    path, inputs, model = Path(path), inputs_of(example), bare(model)
    with quiet():
        program = traced(model, inputs)
        try:
            converted = torch.onnx.export(program, dynamo=True, verbose=False)
        except Exception as error:  # of many kinds
            raise ExportError(f"torch.onnx cannot convert the network: {reason(error)}") from error
        if converted is None:
            raise ExportError("torch.onnx gave no model")
        with draft(path) as file:
            converted.save(file)
            try:
                onnx.checker.check_model(str(file), full_check=True)
                session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
            except Exception as error:  # each library's own
                raise ExportError(f"{path}: the model is not valid: {error}") from error
            difference, calls = checked(model, _runner(session), inputs, tolerance, seed, f"{path}: the ONNX model")
            size = sum(written.stat().st_size for written in file.parent.iterdir())
            del session  # it may hold the file open
    return Exported(path, size, difference, calls)


def _runner(session: Any) -> Callable[[Inputs], list[Tensor]]:
    names = [each.name for each in session.get_inputs()]

    def run(given: Inputs) -> list[Tensor]:
        named = given.kwargs if set(names) <= set(given.kwargs) else dict(zip(names, given.tensors, strict=True))
        feed = {name: named[name].detach().cpu().numpy() for name in names}
        return [torch.from_numpy(output) for output in session.run(None, feed)]

    return run


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(f"ONNX needs {name!r}, of the extra 'export': pip install 'secateurs[export]'") from error
