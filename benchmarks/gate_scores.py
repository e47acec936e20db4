"""Scores by gates: CroP-S of the whole batch at once, and in passes, which take less memory; time and memory of each.

Time is against one forward and backward pass of the same examples, memory is what torch's allocator gives out at a time
beside the network, in multiples of its weights.

    python benchmarks/gate_scores.py [--turns 5] [--examples 50] [--threads 1] [--own-time]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from timing import by_turns, table

from secateurs.core import Batch, Spec, generator_for
from secateurs.how import channel_groups
from secateurs.measure.costs import most_allocated
from secateurs.what import channel_score
from secateurs.zoo import Classification, build_model

TASK = Classification(10)
REFERENCE = "forward + backward"


def main() -> None:
    """Time the scores by turns, then measure the memory of each once."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--examples", type=int, default=50)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--own-time", action="store_true", help="count CPU seconds: on a machine that others use")
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    n = chosen.examples
    batch = Batch(torch.randn(n, 3, 32, 32, generator=generator_for("benchmark")), torch.arange(n) % 10)
    clock = time.process_time if chosen.own_time else time.perf_counter
    for spec in (Spec("resnet20"), Spec("vgg16", {"width": 32})):
        model = build_model(spec, (3, 32, 32), 10, seed=0)
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        groups = channel_groups(model, batch.inputs[:1])

        def step(model: torch.nn.Module = model) -> None:
            model.zero_grad()
            F.cross_entropy(model(batch.inputs), batch.targets).backward()

        contestants: dict[str, Callable[[], object]] = {REFERENCE: step}
        for name, size in (("crop_gate", None), ("crop_gate", n // 2), ("crop_gate", 1), ("crop_gate_eq6", None)):
            score = Spec(name, {"micro_batch": size})
            contestants[f"{name}, micro_batch={size}"] = partial(
                channel_score, model, TASK, [batch], groups, name=score
            )
        contestants["snap"] = partial(channel_score, model, TASK, [batch], groups, name="snap")
        print(f"\n{spec.name} {dict(spec.options) or ''}, {n} examples, float32, {chosen.threads} thread(s)\n")
        print(table(by_turns(contestants, chosen.turns, warm_up=1, clock=clock), REFERENCE))
        for name, call in contestants.items():
            print(f"{name}: {most_allocated(call)[1] / weights:.2f} times the weights")


if __name__ == "__main__":
    main()
