"""Iterated SynFlow against plain passes: 100 times score and keep_top, at most 1.3 times 100 forward and backward
passes of the same network in the same precision, float64, on one example of ones.

The network is pruned to 1 % in 100 exponential steps. Each turn is one pass in float64, one in
float32, and one step of the iteration; a pass gives the gradients of all parameters. The last two
lines are the step's parts.

    python benchmarks/synflow.py [--networks resnet18 vgg16] [--steps 100] [--threads 1]
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from itertools import chain

import torch
from timing import Times, by_turns, table
from torch import nn

from secateurs.core import Scores, Spec
from secateurs.how import Mask, exponential, keep_top
from secateurs.what import score
from secateurs.zoo import build_model

SHAPE = (3, 32, 32)
SYNFLOW = Spec("synflow", {"input_shape": SHAPE})
WARM_UP = 3


def passes(model: nn.Module, dtype: torch.dtype) -> Callable[[], object]:
    """One forward and backward pass of a network of positive weights, as SynFlow has it."""
    positive = copy.deepcopy(model).to(dtype).eval()
    ones = torch.ones(1, *SHAPE, dtype=dtype)
    with torch.no_grad():
        for parameter in positive.parameters():
            parameter.abs_()

    def one() -> None:
        positive.zero_grad()
        positive(ones).sum().backward()

    return one


def measured(name: str, steps: int) -> tuple[dict[str, Times], Mask]:
    model = build_model(Spec(name), SHAPE, 10, seed=0)
    densities = chain([0.999] * WARM_UP, exponential(0.01, steps))
    mask: Mask | None = None
    scores: Scores = {}

    def rate() -> None:
        nonlocal scores
        scores = score(SYNFLOW, model, mask=mask)

    def keep() -> None:
        nonlocal mask
        mask = keep_top(scores, next(densities), within=mask)

    contestants = {
        "pass, float64": passes(model, torch.float64),
        "pass, float32": passes(model, torch.float32),
        "synflow": rate,
        "keep_top": keep,
    }
    times = by_turns(contestants, steps, WARM_UP)
    both = zip(times["synflow"].seconds, times["keep_top"].seconds, strict=True)
    step = Times(tuple(map(sum, both)))
    if mask is None:
        raise RuntimeError("nothing was pruned")
    return {
        "pass, float64": times["pass, float64"],
        "pass, float32": times["pass, float32"],
        "step": step,
        **times,
    }, mask


def main() -> None:
    """Prune each network and print the times of a step beside those of a pass."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--networks", nargs="+", default=["resnet18", "vgg16"])
    arguments.add_argument("--steps", type=int, default=100)
    arguments.add_argument("--threads", type=int, default=1)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{chosen.steps} steps to density 0.01, {chosen.threads} thread(s), torch {torch.__version__}")
    for name in chosen.networks:
        times, mask = measured(name, chosen.steps)
        print(f"\n{name}: {mask}, empty layers: {mask.empty_layers() or 'none'}\n")
        print(table(times, "pass, float64"))
        total = sum(times["step"].seconds) / sum(times["pass, float64"].seconds)
        print(f"\nall steps / all float64 passes: {total:.2f} (goal: at most 1.3)", flush=True)


if __name__ == "__main__":
    main()
