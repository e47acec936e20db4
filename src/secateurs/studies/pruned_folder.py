"""The folder of a run that prunes itself: its store, and its networks as files that need no secateurs."""

from __future__ import annotations

from pathlib import Path

import torch

from secateurs.core import Batch, StoreError, under
from secateurs.how import Mask
from secateurs.jobs import Entry, Store
from secateurs.jobs.files import write_tensors, writing
from secateurs.measure.costs import layer_multiply_adds, multiply_adds
from secateurs.pruner import savings
from secateurs.studies.automatic import AutomaticPlan
from secateurs.studies.runs import load_data
from secateurs.zoo import build_model

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
        weights were pruned: ``model.load_state_dict(safetensors.torch.load_file(path))`` reads it.
        What another run left under these names is removed: the store has it still.

        Raises:
            StoreError: when a file cannot be written, or the run is not finished.
        """
        for name in (RESULT, FIGURE, NETWORK, DENSE, MASK):  # the result first: it vouches for the others
            with writing(self.root / name):
                (self.root / name).unlink(missing_ok=True)
        if entry.summary["diverged"] is not None:
            return ()
        weights, mask = _part(entry, "model"), mask_of(entry)
        if mask is None:
            write_tensors(self.root / DENSE, weights)
            return (self.root / DENSE,)
        write_tensors(self.root / NETWORK, weights)
        write_tensors(self.root / MASK, mask.to_tensors())
        return self.root / NETWORK, self.root / MASK


def mask_of(entry: Entry) -> Mask | None:
    """The mask of a finished run; None when it was not pruned."""
    return None if entry.summary["pruned"] is None else Mask.from_tensors(_part(entry, "mask"))


def _part(entry: Entry, name: str) -> dict[str, torch.Tensor]:
    """One part of the final training state, by the names that it has there."""
    return under(name, entry.tensors("final"))


def saved_by(plan: AutomaticPlan, mask: Mask) -> dict[str, float]:
    """What a mask saves: bytes, shares, and multiply-adds for one example; nothing is computed but shapes."""
    data = load_data(plan.recipe.data)
    with torch.device("meta"):
        network = build_model(plan.recipe.model, data.input_shape, data.num_classes, seed=0).eval()
        batch = Batch(torch.empty(1, *data.input_shape), torch.zeros(1, dtype=torch.int64))
        times = multiply_adds(network, data.task, batch)
    found = savings(network, mask)
    return {
        "bytes_dense": found.bytes_dense,
        "bytes_csr": found.bytes_csr,
        "density_of_all_parameters": found.density_of_all_parameters,
        "multiply_adds_dense": sum(layer_multiply_adds(network, times).values()),
        "multiply_adds_kept": sum(layer_multiply_adds(network, times, mask).values()),
    }
