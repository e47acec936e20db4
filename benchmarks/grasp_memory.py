"""What one more example adds to the peak memory of GraSP's score, which differentiates twice through its batch.

Each size of batch is scored in a fresh process; the growth of the peak resident set between the two
sizes, divided by the difference in examples, is what an example takes. Batch statistics, float32, CPU.

    python benchmarks/grasp_memory.py [--model resnet18 --size 64 --classes 200] [--examples 8 24]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from secateurs.core import Batch, Spec
from secateurs.what import grasp
from secateurs.zoo import Classification, build_model


def peak() -> int:
    """The largest resident set of this process, in bytes (``ru_maxrss`` would count the parent's too)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def child(model: str, size: int, classes: int, examples: int) -> int:
    """The peak after scoring one batch."""
    torch.set_num_threads(1)
    network = build_model(Spec(model), (3, size, size), classes, seed=0)
    batch = Batch(torch.randn(examples, 3, size, size), torch.arange(examples) % classes)
    grasp(network, Classification(classes), [batch])
    return peak()


def main() -> None:
    """Print MiB an example."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", default="resnet18")
    arguments.add_argument("--size", type=int, default=64)
    arguments.add_argument("--classes", type=int, default=200)
    arguments.add_argument("--examples", type=int, nargs="+", default=[8, 24])
    arguments.add_argument("--child", action="store_true", help="measure the first size, here")
    chosen = arguments.parse_args()
    if chosen.child:
        print(child(chosen.model, chosen.size, chosen.classes, chosen.examples[0]))
        return
    peaks = []
    for examples in (min(chosen.examples), max(chosen.examples)):
        command = [sys.executable, __file__, "--child", "--model", chosen.model, "--size", str(chosen.size)]
        command += ["--classes", str(chosen.classes), "--examples", str(examples)]
        told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        peaks.append((examples, int(told.stdout)))
        print(
            f"{chosen.model}, {examples} examples of {chosen.size} x {chosen.size}: peak {peaks[-1][1] / 2**20:.0f} MiB"
        )
    (few, low), (many, high) = peaks
    print(f"an example adds {(high - low) / (many - few) / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
