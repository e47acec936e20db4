"""A folder of dense checkpoints: state dicts of one network, as safetensors files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from secateurs.core import Spec, StoreError, TrainingError, all_finite, prunable
from secateurs.jobs.files import record
from secateurs.studies.schema.advice import Given
from secateurs.zoo import Dataset, build_model

ENDING = ".safetensors"

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_COUNTS = "num_batches_tracked"  # nothing that is computed here follows from it
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
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
        TrainingError: when it is of another network, or of several, is of numbers that no network is trained in, is
            not finite, or is pruned already.
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
                f"{path}: {prefix + name!r} is not finite: its training diverged: give a checkpoint from before, or "
                "move it away"
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
    expected = network.state_dict()
    remedy = "these are checkpoints of another network than the recipe's, or of several: name its recipe, or move it"
    if any(name.startswith(("mask.", "mask/")) for name in tensors):
        raise TrainingError(f"{path}: holds a mask: it was pruned already; give the dense network")
    wanted = [name for name in expected if not name.endswith(_COUNTS)]
    prefixes = dict.fromkeys(
        name.removesuffix(own) for own in wanted for name in tensors if name == own or name.endswith(_within(own))
    )
    lacking = {prefix: [name for name in wanted if prefix + name not in tensors] for prefix in prefixes or [""]}
    whole = [prefix for prefix, lacks in lacking.items() if not lacks]
    if len(whole) > 1:
        named = ", ".join([f"{prefix}{wanted[0]}" for prefix in whole])
        raise TrainingError(
            f"{path}: holds {model.name} {len(whole)} times ({named}): write the one that is meant alone"
        )
    if not whole:
        nearest = min(lacking, key=lambda prefix: len(lacking[prefix]))
        name = nearest + lacking[nearest][0]
        near = get_close_matches(name, tensors, n=2)
        told = f"; near it: {', '.join(map(repr, near))}" if near else ""
        raise TrainingError(f"{path}: has no {name!r}, which {model.name} has{told}: {remedy}")
    (prefix,) = whole
    for name, own in expected.items():
        value = tensors.get(prefix + name)
        if value is None:
            continue
        if value.shape != own.shape:
            shapes = f"{_told(value.shape)}, in {model.name} {_told(own.shape)}"
            raise TrainingError(f"{path}: {prefix + name!r} is {shapes}: {remedy}")
        if own.is_floating_point() and value.dtype not in _FLOATS:
            raise TrainingError(
                f"{path}: {prefix + name!r} is of {_named(value.dtype)}: write it as "
                f"{', '.join(map(_named, _FLOATS[:-1]))} or {_named(_FLOATS[-1])}"
            )
    others = [name for name in tensors if name.startswith(prefix) and name.removeprefix(prefix) not in expected]
    if others:
        raise TrainingError(f"{path}: has {others[0]!r}, which {model.name} has not: {remedy}")
    return prefix


def _within(name: str) -> tuple[str, str]:
    """How the tensor of that name ends where it belongs to a part of something larger."""
    return f".{name}", f"/{name}"


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _told(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _by_number(path: Path) -> list[tuple[int, str]]:
    """``net-9`` before ``net-10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
