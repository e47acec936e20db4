"""keep_top over 1e7 and 1e8 scores against topk and kthvalue: at least 10 times faster than topk at 1e8,
at most a tenth of the scores' memory beside scores and masks, and the same entries, ties included.

topk and kthvalue get all scores in one vector, which is not counted, and only find the threshold;
keep_top gets layers, checks that all scores are finite, and gives the mask. Memory is the growth
of the peak resident set over one call, in a process of its own, as a share of the scores' bytes;
of keep_top's the mask, a byte an entry, is taken off.

    python benchmarks/threshold.py [--sizes 1e7 1e8] [--density 0.1] [--turns 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from timing import by_turns, table
from torch import Tensor

from secateurs.core import generator_for
from secateurs.how import Mask, keep_top

SHARES = (0.3, 0.25, 0.2, 0.1, 0.08, 0.04, 0.02, 0.01)


def made(size: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Magnitudes of normal weights, float32: in one vector, and as layers of different sizes, which share memory."""
    vector = torch.empty(size).normal_(generator=generator_for("threshold benchmark", size)).abs_()
    parts = vector.split([int(size * share) for share in SHARES])
    return vector, {f"layer{place}": part for place, part in enumerate(parts)}


def contestants(size: int, density: float) -> dict[str, Callable[[], object]]:
    vector, layers = made(size)
    count = round(size * density)
    return {
        "torch.topk": lambda: vector.topk(count, sorted=False).values.min(),
        "torch.kthvalue": lambda: vector.kthvalue(size - count + 1).values,
        "keep_top": lambda: keep_top(layers, density),
    }


def exact(size: int, density: float) -> bool:
    """Whether keep_top keeps what topk's threshold says, and of its ties the first ones."""
    vector, layers = made(size)
    count = round(size * density)
    threshold = vector.topk(count, sorted=False).values.min()
    expected = vector > threshold
    ties = (vector == threshold).nonzero().flatten()
    expected[ties[: count - int(expected.sum())]] = True
    mask = keep_top(layers, density)
    return torch.equal(torch.cat(list(mask.values())), expected)


def child(name: str, size: int, density: float) -> float:
    """Growth of this process's peak memory over one call, in bytes."""
    call = contestants(size, density)[name]
    keep_top({"warm": torch.rand(2**18)}, density)  # what is loaded at the first call is no matter of the scores
    torch.rand(2**18).topk(9)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = peak()
    result = call()
    return peak() - before - (result.total if isinstance(result, Mask) else 0)


def peak() -> int:
    """The largest resident set of this process, in bytes (``ru_maxrss`` would count the parent's too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def memory(name: str, size: int, density: float) -> float:
    """As a share of the scores' bytes."""
    command = [sys.executable, __file__, "--child", name, "--sizes", str(size), "--density", str(density)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / (4 * size)  # noqa: S603


def main() -> None:
    """Time by turns, measure memory, and check every entry."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", type=float, nargs="+", default=[1e7, 1e8])
    arguments.add_argument("--density", type=float, default=0.1)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--child", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.child:
        print(child(chosen.child, int(chosen.sizes[0]), chosen.density))
        return
    print(f"float32, density {chosen.density}, {chosen.threads} thread(s), torch {torch.__version__}")
    for size in map(int, chosen.sizes):
        print(f"\n{size:.0e} scores in {len(SHARES)} layers\n")
        times = by_turns(contestants(size, chosen.density), chosen.turns, warm_up=1)
        print(table(times, "keep_top"))
        print(f"\ntopk / keep_top: {times['torch.topk'].median / times['keep_top'].median:.1f} (goal: at least 10)")
        shares = {name: memory(name, size, chosen.density) for name in times}
        print(
            "extra memory, share of the scores: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
        )
        print(f"the same entries as by topk, ties included: {exact(size, chosen.density)}", flush=True)


if __name__ == "__main__":
    main()
