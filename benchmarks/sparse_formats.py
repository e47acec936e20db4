"""Dense weights against compressed sparse rows: bytes of files on disk, and inference with one thread, by turns.

Sizes are those of LeNet-300-100 as ``save_network`` and ``save_csr`` write it: float32, 32-bit indices. Speed
is that of one 1024 x 1024 Linear layer over a batch: ``nn.Linear`` with its zeros in place against ``SparseLinear``,
which multiplies a sparse matrix by columns, and against ``F.linear`` with the same sparse matrix.

    python benchmarks/sparse_formats.py [--turns 60] [--batch 64] [--threads 1] [--own-time]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from timing import by_turns
from torch import nn

from secateurs.core import Spec
from secateurs.export import SparseLinear, save_csr, save_network, to_csr
from secateurs.how import apply, keep_top
from secateurs.what import magnitude
from secateurs.zoo import build_model

SPARSITIES = (0.90, 0.95, 0.98, 0.99)
WIDTH = 1024
IN_A_ROW = 10


def sizes(folder: Path) -> None:
    """Bytes of files."""
    print("| sparsity | dense file | CSR file | ratio |\n|---|---|---|---|")
    for sparsity in SPARSITIES:
        net = build_model(Spec("lenet_300_100"), (1, 28, 28), 10, seed=0)
        mask = keep_top(magnitude(net), 1 - sparsity)
        apply(net, mask)
        dense, csr = save_network(net, folder / "dense.safetensors"), save_csr(net, mask, folder / "csr.safetensors")
        print(f"| {sparsity:.0%} | {dense:,} | {csr:,} | {csr / dense:.3f} |")


@torch.no_grad()
def speeds(turns: int, batch: int, clock: Callable[[], float]) -> None:
    """Time of a layer's forward pass."""
    x = torch.randn(batch, WIDTH, generator=torch.Generator().manual_seed(0))
    print("| sparsity | dense (us) | SparseLinear (us) | times as fast | F.linear with CSR: times as fast |")
    print("|---|---|---|---|---|")
    for sparsity in SPARSITIES:
        layer = nn.Linear(WIDTH, WIDTH)
        mask = keep_top({"weight": layer.weight.abs()}, 1 - sparsity)
        apply(layer, mask)
        sparse, weight = SparseLinear(layer), to_csr(layer.weight, mask["weight"]).to_torch()
        torch.testing.assert_close(sparse(x), layer(x), rtol=1e-4, atol=1e-5)
        calls: dict[str, Callable[[], object]] = {
            "dense": partial(layer, x),
            "sparse": partial(sparse, x),
            "linear": partial(F.linear, x, weight, layer.bias),
        }
        times = by_turns({name: partial(in_a_row, call) for name, call in calls.items()}, turns, clock=clock)
        dense, fast, linear = (times[name].median * 1e6 / IN_A_ROW for name in calls)
        print(f"| {sparsity:.0%} | {dense:.0f} | {fast:.0f} | {dense / fast:.1f} | {dense / linear:.2f} |")


def in_a_row(call: Callable[[], object]) -> None:
    """So that each contestant finds its weights in the caches, as far as they fit."""
    for _ in range(IN_A_ROW):
        call()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--own-time", action="store_true", help="count this process's own CPU seconds")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        sizes(Path(folder))
    speeds(options.turns, options.batch, time.process_time if options.own_time else time.perf_counter)


if __name__ == "__main__":
    main()
