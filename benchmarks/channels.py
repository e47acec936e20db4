"""What removing channels costs and gives: the cut network's training step against one freshly built in its widths.

Three quarters or more of each layer's channels are removed at random, in mid-training. The cut network is compared
with a fresh one of the same widths (goal: at most 1.02 of its time) and with the dense one. Then the cut itself, stage
by stage, against one training step of the dense network (goal of the sum: at most 1): following the example
(channel_groups), the choice (keep_top_channels), and the cut with the optimiser's momentum (cut_in_place).

    python benchmarks/channels.py [--turns 20] [--batch 128] [--threads 1] [--own-time] [--model vgg16]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from timing import by_turns, table
from torch import Tensor, nn

from secateurs.core import Spec, generator_for
from secateurs.how import channel_groups, cut_in_place, keep_top_channels
from secateurs.zoo import build_model

MODELS = {
    "vgg16": ({"width": 64}, {"width": 8}, 0.125),
    "resnet20": ({"width": 16, "shortcut": "B"}, {"width": 4, "shortcut": "B"}, 0.25),
    "resnet18": ({"width": 64}, {"width": 8}, 0.125),
}
"""Network -> options of the dense one, of the fresh one of the cut one's widths, and the share of channels left."""


class Loop:
    """A network in training."""

    def __init__(self, model: nn.Module, inputs: Tensor) -> None:
        self.model, self.inputs, self.targets = model.train(), inputs, torch.arange(len(inputs)) % 10
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step(self) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.inputs), self.targets).backward()
        self.optimizer.step()


def cut(loop: Loop, density: float, clock: Callable[[], float]) -> dict[str, float]:
    """Cut the loop's network and optimiser in place: stage -> seconds."""
    moments = [clock()]
    groups = channel_groups(loop.model, loop.inputs[:1])
    moments.append(clock())
    scores = {group.name: torch.rand(group.units, generator=generator_for(group.name)) for group in groups}
    keep = keep_top_channels(groups, scores, density, counted="channels", scope="layer")
    moments.append(clock())
    cut_in_place(loop.model, keep, loop.optimizer)
    moments.append(clock())
    named = ("channel_groups", "keep_top_channels", "cut_in_place")
    return {name: after - before for name, (before, after) in zip(named, pairwise(moments), strict=True)}


def main() -> None:
    """Time the three networks by turns, then the cut."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=20)
    arguments.add_argument("--cuts", type=int, default=5)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--own-time", action="store_true", help="count CPU seconds: on a machine that others use")
    arguments.add_argument("--model", action="append", choices=[*MODELS])
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = time.process_time if chosen.own_time else time.perf_counter
    inputs = torch.randn(chosen.batch, 3, 32, 32, generator=generator_for("benchmark"))
    print(f"batch {chosen.batch}, float32, {chosen.threads} thread(s), torch {torch.__version__}")
    for name in chosen.model or MODELS:
        wide, narrow, density = MODELS[name]
        dense, small = (Loop(build_model(Spec(name, wide), (3, 32, 32), 10, seed=0), inputs) for _ in range(2))
        fresh = Loop(build_model(Spec(name, narrow), (3, 32, 32), 10, seed=1), inputs)
        small.step()
        cut(small, density, clock)
        if [p.shape for p in small.model.parameters()] != [p.shape for p in fresh.model.parameters()]:
            raise SystemExit(f"{name}: the cut network has other widths than the fresh one")
        steps = {"fresh": fresh.step, "cut": small.step}
        print(
            f"\n{name}, {density:.1%} of the channels\n\n{table(by_turns(steps, chosen.turns, clock=clock), 'fresh')}"
        )
        times = by_turns({"dense": dense.step, "cut": small.step}, max(chosen.turns // 5, 3), 1, clock=clock)
        print(f"\n{table(times, 'dense')}")
        step, stages = times["dense"].median, []
        for _ in range(chosen.cuts):
            again = Loop(copy.deepcopy(dense.model), inputs)
            again.optimizer.load_state_dict(copy.deepcopy(dense.optimizer.state_dict()))
            stages.append(cut(again, density, clock))
        medians = {stage: statistics.median(each[stage] for each in stages) for stage in stages[0]}
        told = ", ".join(f"{stage} {seconds * 1e3:.0f} ms" for stage, seconds in medians.items())
        whole = sum(medians.values())
        print(f"\nthe cut: {told}; in all {whole * 1e3:.0f} ms, {whole / step:.3f} of a step of the dense network")


if __name__ == "__main__":
    main()
