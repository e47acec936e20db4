"""The folder of a run that prunes itself: its store, and its networks as files that need no secateurs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from secateurs.core import Batch, Keep, StoreError, under
from secateurs.export import save_network
from secateurs.how import Mask, channel_groups, cut_in_place
from secateurs.jobs import Entry, Store
from secateurs.jobs.files import write_tensors, writing
from secateurs.measure.costs import layer_multiply_adds, multiply_adds
from secateurs.pruner import savings
from secateurs.pruner.saved import channel_savings
from secateurs.studies.automatic import AutomaticPlan
from secateurs.studies.runs import RunConfig, load_data, located
from secateurs.zoo import Dataset, build_model

NETWORK, DENSE, MASK, RESULT, FIGURE = (
    "pruned.safetensors",
    "dense.safetensors",
    "mask.safetensors",
    "result.json",
    "signal.png",
)
_STUDY = "recipe.yaml"


class PrunedFolder:
    """``store/``, the network, its mask, ``result.json`` and a figure; several runs may have gone into one store.

    Args:
        root: a folder that is new or empty, or one that was made so.

    Raises:
        StoreError: when there is something else in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        there = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        if root.exists() and not root.is_dir():
            raise StoreError(f"{root}: is a file: name a folder with --out")
        if _STUDY in there:
            raise StoreError(f"{root}: is the folder of a study: name another one with --out")
        if not (root / "store" / "store.json").exists() and any(not name.startswith(".") for name in there):
            raise StoreError(
                f"{root}: holds {there[0]!r}, and no run of 'secateurs prune': name an empty or a new folder with --out"
            )
        self.store = Store(root / "store")

    def write_network(self, entry: Entry) -> tuple[Path, ...]:
        """Write the final network of a run, and its mask; a dense one under another name, none if it diverged.

        ``pruned.safetensors`` holds the plain names of the network's ``state_dict``, with zeros where
        weights were pruned: ``model.load_state_dict(safetensors.torch.load_file(path))`` reads it. Where
        channels were removed, it is the small network, and the file also says how to build it:
        :func:`secateurs.export.load_network` does. What another run left under these names is removed: the store
        has it still.

        Raises:
            StoreError: when a file cannot be written, or the run is not finished.
        """
        for name in (RESULT, FIGURE, NETWORK, DENSE, MASK):  # the result first: it vouches for the others
            with writing(self.root / name):
                (self.root / name).unlink(missing_ok=True)
        if entry.summary["diverged"] is not None:
            return ()
        weights, mask, keep = _part(entry, "model"), mask_of(entry), keep_of(entry)
        if keep is not None:
            _save_small(entry, keep, self.root / NETWORK)
            return (self.root / NETWORK,)
        if mask is None:
            write_tensors(self.root / DENSE, weights)
            return (self.root / DENSE,)
        write_tensors(self.root / NETWORK, weights)
        write_tensors(self.root / MASK, mask.to_tensors())
        return self.root / NETWORK, self.root / MASK


def mask_of(entry: Entry) -> Mask | None:
    """The mask of a finished run; None when it was not pruned, or lost channels."""
    packed = _part(entry, "mask")
    return Mask.from_tensors(packed) if packed else None


def keep_of(entry: Entry) -> Keep | None:
    """The channels that a finished run kept; None when it lost none."""
    kept = _part(entry, "channels")
    if not kept:
        return None
    config, data = _made_of(entry)
    return Keep(channel_groups(_dense(config, data), data.example.to("meta")), kept)


def _save_small(entry: Entry, keep: Keep, path: Path) -> None:
    config, data = _made_of(entry)
    network = build_model(config.model, data.input_shape, data.num_classes, seed=0)
    cut_in_place(network, keep)
    network.load_state_dict(_part(entry, "model"))
    with writing(path):
        save_network(
            network,
            path,
            spec=config.model,
            input_shape=data.input_shape,
            num_classes=data.num_classes,
            keep=keep,
        )


def _made_of(entry: Entry) -> tuple[RunConfig, Dataset]:
    """What the run was told, and its data."""
    told = located(entry.spec["config"], entry.spec["where"])
    config = RunConfig.model_validate({name: told[name] for name in RunConfig.model_fields if name in told})
    return config, load_data(config.data)


def _dense(config: RunConfig, data: Dataset) -> nn.Module:
    """The dense network's shapes; they take no memory."""
    with torch.device("meta"):
        return build_model(config.model, data.input_shape, data.num_classes, seed=0).eval()


def _part(entry: Entry, name: str) -> dict[str, torch.Tensor]:
    """One part of the final training state, by the names that it has there."""
    return under(name, entry.tensors("final"))


def saved_by(plan: AutomaticPlan, left: Mask | Keep) -> dict[str, float]:
    """What a mask saves, or channels that were removed: bytes, shares, and multiply-adds for one example.

    Nothing is computed but shapes.
    """
    data = load_data(plan.recipe.data)
    with torch.device("meta"):
        network = build_model(plan.recipe.model, data.input_shape, data.num_classes, seed=0).eval()
        batch = Batch(torch.empty(1, *data.input_shape), torch.zeros(1, dtype=torch.int64))
        times = multiply_adds(network, data.task, batch)
    dense = sum(layer_multiply_adds(network, times).values())
    if isinstance(left, Keep):
        small = channel_savings(network, left, times)
        return {
            "bytes_dense": small.bytes_dense,
            "bytes": small.bytes,
            "density_of_all_parameters": small.density_of_all_parameters,
            "multiply_adds_dense": dense,
            "multiply_adds_kept": dense if small.multiply_adds is None else small.multiply_adds,
        }
    found = savings(network, left)
    return {
        "bytes_dense": found.bytes_dense,
        "bytes_csr": found.bytes_csr,
        "density_of_all_parameters": found.density_of_all_parameters,
        "multiply_adds_dense": dense,
        "multiply_adds_kept": sum(layer_multiply_adds(network, times, left).values()),
    }
