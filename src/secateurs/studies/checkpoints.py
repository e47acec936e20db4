"""A folder of dense checkpoints: state dicts of one network, as safetensors files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from secateurs.core import Spec, StoreError, TrainingError, all_finite, did_you_mean, prunable
from secateurs.jobs.files import record
from secateurs.studies.schema.advice import Given
from secateurs.zoo import Dataset, build_model

ENDING = ".safetensors"

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_COUNTS = "num_batches_tracked"  # nothing that is computed here follows from it
_PRUNED = 0.5


def checkpoints_in(root: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The checkpoints in a folder, by name, numbers in the order of numbers; and the pickles, which are never read.

    Raises:
        StoreError: when there is no checkpoint; where there are pickles, with how to convert them.
    """
    files = sorted((path for path in root.iterdir() if path.is_file() and path.name[0] != "."), key=_by_number)
    found = tuple(path for path in files if path.suffix == ENDING)
    pickles = tuple(path for path in files if path.suffix in _PICKLES)
    if found:
        return found, pickles
    if pickles:
        name = pickles[0].name
        raise StoreError(
            f"{root}: {name!r} is a pickle, which may run anything as it is read, and is not read here: convert what "
            "you trust: safetensors.torch.save_file("
            f"torch.load({name!r}, weights_only=True), {pickles[0].stem + ENDING!r})"
        )
    raise StoreError(
        f"{root}: there is no study and no checkpoint (*{ENDING}) here: name the folder that 'secateurs run' wrote "
        "into, or one of state dicts written by safetensors.torch.save_file"
    )


def given_in(path: Path, model: Spec, data: Dataset, seed: int) -> Given:
    """A checkpoint, once it is seen to be a dense network of the recipe's architecture.

    Raises:
        StoreError: when the file cannot be read.
        TrainingError: when it is of another network, is not finite, or is pruned already.
    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path}: cannot be read as safetensors ({error}): write it again, or move it away") from error
    with torch.device("meta"):
        network = build_model(model, data.input_shape, data.num_classes, seed=0)
    prefix = _check_names(path, tensors, network, model)
    for name in network.state_dict():
        value = tensors.get(prefix + name)
        if value is not None and not all_finite(value):
            raise TrainingError(
                f"{path}: {name!r} is not finite: its training diverged: give a checkpoint from before, or move it away"
            )
    weights = [tensors[prefix + name] for name in prunable(network)]
    zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    if zeros > _PRUNED:
        raise TrainingError(
            f"{path}: {100 * zeros:.0f} % of its prunable weights are 0: it was pruned already; give the dense network"
        )
    return Given(file=str(path.resolve()), digest=record(path).sha256, prefix=prefix, seed=seed)


def _check_names(path: Path, tensors: Mapping[str, Tensor], network: nn.Module, model: Spec) -> str:
    """What the names in a file begin with, which has the tensors of a network and no others under it."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    first = next(iter(expected))
    prefix = next((name.removesuffix(first) for name in tensors if name.endswith(first)), "")
    remedy = "these are checkpoints of another network than the recipe's, or of several: name its recipe, or move it"
    for name, shape in expected.items():
        value = tensors.get(prefix + name)
        if value is None and name.endswith(_COUNTS):
            continue
        if value is None:
            raise TrainingError(
                f"{path}: has no {name!r}, which {model.name} has{did_you_mean(name, tensors)}: {remedy}"
            )
        if tuple(value.shape) != shape:
            raise TrainingError(f"{path}: {name!r} is {_told(value.shape)}, in {model.name} {_told(shape)}: {remedy}")
    if any(name.startswith(("mask.", "mask/")) for name in tensors):
        raise TrainingError(f"{path}: holds a mask: it was pruned already; give the dense network")
    others = [name for name in tensors if name.startswith(prefix) and name.removeprefix(prefix) not in expected]
    if others:
        raise TrainingError(f"{path}: has {others[0]!r}, which {model.name} has not: {remedy}")
    return prefix


def _told(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _by_number(path: Path) -> list[tuple[int, str]]:
    """``net-9`` before ``net-10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
