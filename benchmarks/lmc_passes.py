"""LMC with 11 points: counted, 11 passes that recalibrate and 11 that evaluate; timed, against just these.

Every forward pass of the network is counted by a hook, in examples, apart for those in which its batch norms normalise
by their batch (recalibration) and the others (evaluation). What 11 recalibrations and 11 evaluations take by
themselves is timed side by side with LMC, by turns in one process, in its own seconds (others may work on the machine).
The networks are two initialisations: what they have learned makes no difference to the work.

    python benchmarks/lmc_passes.py [--depth 20] [--width 16] [--points 11] [--turns 7] [--threads 1] [--enlarge 1]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from timing import by_turns, table
from torch import nn

from secateurs.core import Spec
from secateurs.measure import bn_statistics, evaluate, lmc
from secateurs.zoo import build_model, digits

LMC, PARTS = "LMC", "recalibrations and evaluations by themselves"


def counted(model: nn.Module, call: Callable[[], object]) -> Counter[str]:
    """Examples that pass through the model in a call, by what it is in the middle of."""
    seen: Counter[str] = Counter()
    norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))

    def count(_: nn.Module, args: tuple[Any, ...]) -> None:
        seen["recalibration" if norm.training else "evaluation"] += len(args[0])

    handle = model.register_forward_pre_hook(count)
    try:
        call()
    finally:
        handle.remove()
    return seen


def main() -> None:
    """Count, then time by turns."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = {"depth": 20, "width": 16, "points": 11, "turns": 7, "threads": 1, "enlarge": 1}
    for name, value in given.items():
        arguments.add_argument(f"--{name}", type=int, default=value)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    data = digits(enlarge=chosen.enlarge)
    spec = Spec("preresnet", {"depth": chosen.depth, "width": chosen.width})
    model, other = (build_model(spec, data.input_shape, data.num_classes, seed=seed) for seed in (0, 1))
    ends = [{name: each.clone() for name, each in net.state_dict().items()} for net in (model, other)]

    def whole() -> object:
        return lmc(model, *ends, data.task, data.train, points=chosen.points)

    def parts() -> None:
        for _ in range(chosen.points):
            bn_statistics(model, data.task, data.train)
            evaluate(model, data.task, data.train)

    n, seen = len(data.train), counted(model, whole)
    print(f"{spec.name} of depth {chosen.depth} and width {chosen.width}, {n} examples of {data.input_shape}, ", end="")
    print(f"{chosen.points} points, {chosen.threads} thread(s), torch {torch.__version__}\n")
    print("| passes over the training set | counted | goal |\n|---|---|---|")
    for name in ("recalibration", "evaluation"):
        print(f"| {name} | {seen[name] / n:g} | {chosen.points} |")
    print()
    times = by_turns({LMC: whole, PARTS: parts}, chosen.turns, 1, time.process_time)
    print(table(times, PARTS))
    ratios = [a / b for a, b in zip(times[LMC].seconds, times[PARTS].seconds, strict=True)]
    print(
        f"\nLMC / {chosen.points} x (recalibration + evaluation), turn by turn: {min(ratios):.3f} to {max(ratios):.3f}"
    )


if __name__ == "__main__":
    main()
