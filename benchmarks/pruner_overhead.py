"""What an EarlyPruner adds to a training step, before and after pruning, by turns against the loop without one.

Before pruning it waits for the default trigger, which looks at no step, or for KL-uniform, from each step's logits; in
the first epoch it also keeps examples for tr(F). After it, the mask is in force. Goals: KL-uniform at most 1.001 for
ResNet-20 and 1.01 for LeNet-300-100; the mask at most 1.005 and 1.02. A whole step's noise is about 1 %, so the
pruner's own call is also timed, inside the loop, as a share of a training step, and so are the tensor operations in it,
without which nothing can be measured or masked: the rest is Python.

    python benchmarks/pruner_overhead.py [--turns 60] [--threads 1] [--own-time] [--model resnet20]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from unittest.mock import patch

import torch
import torch.nn.functional as F
from timing import by_turns, table

from secateurs.core import Batch, Signal, Spec, generator_for
from secateurs.pruner import EarlyPruner
from secateurs.when import At, FisherTrace, KLUniform, Peak, kl_uniform
from secateurs.zoo import Classification, build_model

BATCH = 128
SHAPES = {"lenet_300_100": (1, 28, 28), "resnet20": (3, 32, 32)}


class Loop:
    """A network in training, with a pruner that waits, one that has pruned, or none."""

    def __init__(self, name: str, state: str, batch: Batch) -> None:
        self.batch, self.model = batch, build_model(Spec(name), SHAPES[name], 10, seed=0)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        self.pruner: EarlyPruner | None = None
        if state == "none":
            return
        when = {"pruned": At("1ep"), "default": None}.get(state, Peak("kl_uniform", patience=10**6))
        signals: list[Signal] = [] if state == "default" else [KLUniform()]
        if state == "first epoch":
            signals.append(FisherTrace(samples=2))
        self.pruner = EarlyPruner(
            self.model, self.optimizer, Classification(10), when=when, epochs=10**6, signals=signals
        )
        if state != "first epoch":
            self.step()
            self.pruner.epoch_end()
        if self.pruner.pruned != (state == "pruned"):
            raise RuntimeError(f"{state}: the pruner did not do what is timed")

    def step(self) -> None:
        """One step of training."""
        self.optimizer.zero_grad()
        output = self.model(self.batch.inputs)
        F.cross_entropy(output, self.batch.targets).backward()
        self.optimizer.step()
        if self.pruner is not None:
            self.pruner.step(self.batch, output)


def calls(count: int, call: Callable[[], object]) -> float:
    """Median seconds of ``count`` calls."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def within(loop: Loop, steps: int) -> float:
    """Median seconds of the pruner's own call inside the loop, where caches are full of other things."""
    times: list[float] = []
    if loop.pruner is None:
        return 0.0
    call = loop.pruner.step

    def timed(batch: Batch, output: torch.Tensor) -> None:
        begun = time.perf_counter()
        call(batch, output)
        times.append(time.perf_counter() - begun)

    with patch.object(loop.pruner, "step", timed):
        for _ in range(steps):
            loop.step()
    return statistics.median(times)


def arithmetic(loop: Loop, count: int) -> dict[str, float]:
    """Seconds of the tensor operations alone: KL-uniform's, and the mask's on weights, gradients and momentum."""
    logits = torch.randn(BATCH, 10, generator=generator_for("benchmark"))
    found = {"KL-uniform": calls(count, lambda: kl_uniform(logits).sum())}
    enforcement = loop.pruner._enforcement if loop.pruner is not None else None
    if enforcement is not None:
        pairs = [(t.parameter.detach().view(torch.int32), next(iter(t.bits.values()))) for t in enforcement._targets]
        found["mask"] = 3 * calls(count, lambda: [weights.bitwise_and_(bits) for weights, bits in pairs])
    return found


def masks(loop: Loop, count: int) -> float:
    """Seconds a step that the mask in force takes: weights and momentum after it, gradients as they come."""
    enforcement = loop.pruner._enforcement if loop.pruner is not None else None
    if enforcement is None:
        return 0.0
    after = calls(count, lambda: enforcement._after_step(loop.optimizer, (), {}))
    return after + calls(count, lambda: [t.zero_gradient(t.parameter) for t in enforcement._targets])


def main() -> None:
    """Time each network's step in the four loops and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=60)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--own-time", action="store_true", help="count CPU seconds: on a machine that others use")
    arguments.add_argument("--model", action="append", choices=[*SHAPES])
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    warnings.filterwarnings("ignore", message="EarlyPruner:.*epoch")  # epochs of one step, and then a long one
    print(f"batch {BATCH}, float32, {chosen.threads} thread(s), torch {torch.__version__}")
    for name in chosen.model or SHAPES:
        inputs = torch.randn(BATCH, *SHAPES[name], generator=generator_for("benchmark"))
        batch = Batch(inputs, torch.arange(BATCH) % 10)
        loops = {state: Loop(name, state, batch) for state in ("none", "default", "waiting", "first epoch", "pruned")}
        per_turn = 50 if name == "lenet_300_100" else 1
        turns = {state: _several(loop.step, per_turn) for state, loop in loops.items()}
        clock = time.process_time if chosen.own_time else time.perf_counter
        times = by_turns(turns, chosen.turns, clock=clock)
        print(f"\n{name}, {per_turn} step(s) a turn\n\n{table(times, 'none')}")
        step = times["none"].median / per_turn
        for state, loop in loops.items():
            own = within(loop, 10 * per_turn)
            print(f"step() in the loop, {state}: {own * 1e6:.1f} us, {own / step:.3%} of a training step")
        own = masks(loops["pruned"], 300)
        print(f"masks alone, caches warm, pruned: {own * 1e6:.1f} us, {own / step:.3%} of a training step")
        for what, seconds in arithmetic(loops["pruned"], 300).items():
            print(f"tensor operations of {what}, caches warm: {seconds * 1e6:.1f} us, {seconds / step:.3%}")


def _several(call: Callable[[], object], count: int) -> Callable[[], object]:
    def several() -> None:
        for _ in range(count):
            call()

    return several


if __name__ == "__main__":
    main()
