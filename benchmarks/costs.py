"""What pruning saves in a training step: P1's tables 1 and 2 without the training, dense, masked and cut, by turns.

Of each network three are measured by ``secateurs.measure.costs``, which is what a recipe's ``costs`` and a report have:
the dense one, the same under a mask of random weights, and one without random channels, at P1's weight sparsity. Goal:
the mask's batch time and memory are the dense network's (a mask saves neither), the cut one's are less.

    python benchmarks/costs.py [--repeats 10] [--batch 128] [--threads 1] [--device cpu] [--model vgg16]
"""

from __future__ import annotations

import argparse

import torch

from secateurs.core import Batch, Spec, generator_for
from secateurs.how import channel_groups, keep_top, keep_top_channels, remove_channels
from secateurs.measure.costs import Costs, costs
from secateurs.zoo import Classification, build_model

MODELS = {"resnet18": 0.05, "vgg16": 0.02}
"""Network -> weights left: P1's tables 1 and 2."""


HEADS = (
    *("network", "weights gone, %", "nodes gone, %", "batch, ms", "over dense", "peak, MB", "over dense", "disk, MB"),
    "multiply-adds, million",
)


def line(name: str, found: Costs) -> str:
    """One line of the table."""
    batch, peak = found.batch, found.bytes_peak
    if batch is None or peak is None:
        raise SystemExit("nothing was measured")
    dense, whole = found.batch_dense or batch, found.bytes_peak_dense or peak
    cells = (
        f"{100 * found.weight_sparsity:.1f}",
        f"{100 * found.node_sparsity:.1f}",
        f"{1e3 * batch.seconds:.4g}",
        f"{batch.seconds / dense.seconds:.3f}",
        f"{peak / 1e6:.4g}",
        f"{peak / whole:.3f}",
        f"{min(found.bytes_dense, found.bytes_csr) / 1e6:.3g}",
        f"{found.multiply_adds / 1e6:.3g}",
    )
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure the three of each network."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=10)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--model", action="append", choices=[*MODELS])
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = "cpu" if chosen.device == "cpu" else "wall"
    inputs = torch.randn(chosen.batch, 3, 32, 32, generator=generator_for("benchmark")).to(chosen.device)
    batch = Batch(inputs, torch.arange(chosen.batch, device=chosen.device) % 10)
    print(f"batch {chosen.batch}, float32, {chosen.threads} thread(s), {clock} time, torch {torch.__version__}")
    for name in chosen.model or MODELS:
        dense = build_model(Spec(name), (3, 32, 32), 10, seed=0).to(chosen.device)
        weights = {n: p for n, p in dense.named_parameters() if p.ndim > 1}
        chance = {n: torch.rand(p.shape, generator=generator_for(n)).to(chosen.device) for n, p in weights.items()}
        mask = keep_top(chance, MODELS[name])
        groups = channel_groups(dense, inputs[:1])
        worth = {each.name: torch.rand(each.units, generator=generator_for(each.name)) for each in groups}
        small = remove_channels(dense, keep_top_channels(groups, worth, MODELS[name], minimum=4))
        task = Classification(10)
        print(f"\n{name}\n")
        print(f"| {' | '.join(HEADS)} |")
        print(f"|{'---|' * len(HEADS)}")
        print(line("dense", costs(dense, task, batch, repeats=chosen.repeats, clock=clock)))
        beside = {"repeats": chosen.repeats, "clock": clock, "reference": dense}
        print(line("mask", costs(dense, task, batch, mask=mask, **beside)))
        print(line("channels", costs(small, task, batch, **beside)))


if __name__ == "__main__":
    main()
