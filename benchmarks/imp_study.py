"""A study of lottery tickets against a plain program for the same one, each a whole process: at least 5 times faster.

LeNet-300-100, iterative magnitude pruning: the dense network and 5 levels that each drop 20 % of what is left, weights
rewound to step 0, one replicate. Batches of 60, Adam with a rate of 1.2e-3, accuracy on validation and test data after
every epoch. The plain program is what most people write: a Dataset that makes an image of each example and applies
to-tensor and normalise to it (step by step as torchvision's classes do), a DataLoader, ``torch.nn.utils.prune``, a
loss that is read at each step. Ours is the study as ``secateurs run`` runs it, store and checkpoints included, without
the report, which the plain program has none of. Both train the same number of steps, which they count.

    python benchmarks/imp_study.py [--data FOLDER-OF-MNIST-PARQUET] [--epochs 10] [--threads 2] [--turns 1]

Times are those of whole processes, from their start to their end, one after the other. Without ``--data`` it trains on
scikit-learn's digits, enlarged. ``--multiply`` has the plain program multiply weights by the mask after each step,
which is another usual way, in place of torch's; ``--exact`` leaves our Adam unfused; ``--only ours`` runs one of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LEVELS, RATE, BATCH, LR = 5, 0.2, 60, 1.2e-3
PROGRAMS = ("plain", "ours")


def data_of(folder: str | None) -> dict[str, Any]:
    """The data set as a recipe names it."""
    return {"name": "mnist", "folder": folder} if folder else {"name": "digits", "enlarge": 3}


def plain(chosen: argparse.Namespace) -> dict[str, Any]:
    """The plain program: what it came to, level by level."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image
    from torch import Tensor, nn
    from torch.nn.utils import prune
    from torch.utils.data import DataLoader
    from torch.utils.data import Dataset as TorchDataset

    from secateurs.zoo import DATASETS, ImageSet

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)

    def to_tensor(image: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
        pixels = pixels.view(image.size[1], image.size[0], len(image.getbands()))
        return pixels.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)

    def normalise(tensor: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        tensor = tensor.clone()
        centre, scale = (torch.as_tensor(each, dtype=tensor.dtype, device=tensor.device) for each in (mean, std))
        if (scale == 0).any():
            raise ValueError("std has a zero")
        return tensor.sub_(centre.view(-1, 1, 1)).div_(scale.view(-1, 1, 1))

    class Images(TorchDataset[tuple[Tensor, int]]):
        """Images one at a time, with the usual transforms."""

        def __init__(self, part: ImageSet) -> None:
            self.data, self.targets = part.images[:, 0], part.targets
            self.mean, self.std = (tuple((each / 255).tolist()) for each in (part.mean, part.std))

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            image, target = Image.fromarray(self.data[index].numpy()), int(self.targets[index])
            return normalise(to_tensor(image), self.mean, self.std), target

    named = data_of(chosen.data)
    data = DATASETS[named.pop("name")](**named)
    train = DataLoader(Images(data.train), BATCH, shuffle=True)
    held = {name: DataLoader(Images(getattr(data, name)), 512) for name in ("validation", "test")}
    pixels = data.input_shape[1] * data.input_shape[2]
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    initial = [(layer.weight.detach().clone(), layer.bias.detach().clone()) for layer in layers]
    masks = [torch.ones_like(layer.weight) for layer in layers]

    def accuracy(loader: DataLoader[tuple[Tensor, int]]) -> float:
        model.eval()
        correct = 0
        with torch.no_grad():
            for images, targets in loader:
                correct += int((model(images).argmax(1) == targets).sum())
        model.train()
        return correct / len(loader.dataset)  # type: ignore[arg-type]

    def next_level() -> None:
        if chosen.multiply:
            left = torch.cat(
                [layer.weight.detach().abs()[mask == 1] for layer, mask in zip(layers, masks, strict=True)]
            )
            threshold = left.kthvalue(round(RATE * len(left))).values
            for layer, mask in zip(layers, masks, strict=True):
                mask.mul_(layer.weight.detach().abs() > threshold)
        else:
            prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=RATE)
        with torch.no_grad():
            for layer, mask, (weight, bias) in zip(layers, masks, initial, strict=True):
                if chosen.multiply:
                    layer.weight.copy_(weight * mask)
                else:
                    layer.weight_orig.copy_(weight)
                layer.bias.copy_(bias)

    steps, levels = 0, []
    for level in range(LEVELS + 1):
        if level:
            next_level()
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        for _ in range(chosen.epochs):
            total = 0.0
            for images, targets in train:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images), targets)
                loss.backward()
                optimizer.step()
                if chosen.multiply and level:
                    for layer, mask in zip(layers, masks, strict=True):
                        layer.weight.data.mul_(mask)
                total += loss.item()
                steps += 1
            seen = {name: accuracy(loader) for name, loader in held.items()}
        model(data.train.batch(torch.arange(2)).inputs)  # torch's pruning computes `weight` in the forward pass
        kept = sum(int((layer.weight != 0).sum()) for layer in layers)
        levels.append({"kept": kept, **seen})
    return {"steps": steps, "levels": levels}


def ours(chosen: argparse.Namespace) -> dict[str, Any]:
    """Our study of the same: a recipe, its graph, a store."""
    from secateurs.jobs import Serial, Store, run
    from secateurs.studies import Sweep
    from secateurs.studies.recipe import check
    from secateurs.studies.tickets.plan import TicketsPlan

    recipe = check(
        {
            "study": "tickets",
            "title": "Iterative magnitude pruning",
            "model": "lenet_300_100",
            "data": data_of(chosen.data),
            "train": {
                "epochs": chosen.epochs,
                "batch_size": BATCH,
                "lr": LR,
                "optimizer": {"name": "adam"} | ({} if chosen.exact else {"fused": True}),
                "schedule": "constant",
                "precision": chosen.precision,
            },
            "seeds": [chosen.seed],
            "threads": chosen.threads,
            "checkpoint_every": chosen.epochs,
            "levels": LEVELS,
            "rate": RATE,
            "tickets": {"IMP": {}},
            "looks": {"every": "1ep", "parts": ["validation", "test"]},
        },
        "benchmark",
    )
    sweep = Sweep(recipe)
    (plan,) = sweep.plans(TicketsPlan).values()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        run(sweep.graph(), store, Serial("cpu", recipe.threads)).raise_for_failures()
        entries = [store.entry(cell.run) for cell in sorted(plan.cells(), key=lambda cell: cell.level)]
        levels = [
            {
                "kept": entry.summary.get("alive"),
                "validation": entry.summary["validation_accuracy"],
                "test": entry.summary["test_accuracy"],
            }
            for entry in entries
        ]
        steps = sum(max(row["steps"] for row in entry.rows() if row.get("looked")) for entry in entries)
    return {"steps": steps, "levels": levels}


def process(who: str, passed: list[str]) -> dict[str, Any]:
    """One contestant in a process of its own: what it came to, its seconds from start to end, its processor time."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, __file__, "--only", who, "--json", *passed], capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": wall, "own": own}


def contestants() -> dict[str, list[str]]:
    """Who is compared: a program, and its precision where this CPU computes in bfloat16 itself."""
    from secateurs.core import TrainingError
    from secateurs.train import check_precision

    found = {"plain, float32": ["plain"], "ours, float32": ["ours"]}
    try:
        check_precision("bfloat16", torch_device("cpu"))
    except TrainingError:
        return found
    return {**found, "ours, bfloat16": ["ours", "--precision", "bfloat16"]}


def torch_device(name: str) -> Any:
    """A device; torch is loaded late, since the processes are what is timed."""
    import torch

    return torch.device(name)


def compare(chosen: argparse.Namespace, passed: list[str]) -> None:
    """All, by turns: the ratios of their least times, and their accuracies."""
    named = contestants()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in named}
    for _ in range(chosen.turns):
        for name, (program, *options) in named.items():
            runs[name].append(process(program, [*passed, *options]))
    print(f"LeNet-300-100, {LEVELS} levels, {chosen.epochs} epochs each, {chosen.threads} thread(s)\n")
    print("| | steps | wall (s) | ratio | own time (s) | ratio | wall, ms a step |\n|" + "---|" * 7)
    least = {
        name: {kind: min(each[kind] for each in found) for kind in ("wall", "own")} for name, found in runs.items()
    }
    plain_times = least["plain, float32"]
    for name, found in runs.items():
        shown = (f"{least[name][kind]:.1f} | {plain_times[kind] / least[name][kind]:.2f}" for kind in ("wall", "own"))
        steps = found[0]["steps"]
        print(f"| {name} | {steps} | {' | '.join(shown)} | {1e3 * least[name]['wall'] / steps:.2f} |")
    print("\nThe goal is a ratio of at least 5 by the clock. Accuracies, %, in the order above:\n")
    print("| level | weights left | validation | test |\n|---|---|---|---|")
    for level, rows in enumerate(zip(*(found[0]["levels"] for found in runs.values()), strict=True)):
        kept = ", ".join(dict.fromkeys(str(row["kept"] or "all") for row in rows))
        shown = (", ".join(f"{100 * row[part]:.2f}" for row in rows) for part in ("validation", "test"))
        print(f"| {level} | {kept} | {' | '.join(shown)} |")


def main() -> None:
    """Compare both, or run one."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data")
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--turns", type=int, default=1)
    arguments.add_argument("--precision", default="float32")
    arguments.add_argument("--multiply", action="store_true")
    arguments.add_argument("--exact", action="store_true")
    arguments.add_argument("--only", choices=PROGRAMS)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    if chosen.only is None:
        compare(chosen, sys.argv[1:])
        return
    found = {"plain": plain, "ours": ours}[chosen.only](chosen)
    print(json.dumps(found) if chosen.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
