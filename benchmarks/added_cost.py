"""What watching and masking add to a step of ResNet-20, and what tr(F) adds to an epoch of 50,000 images.

* KL-uniform logged from the step's logits: at most 0.1 % of a step. Enforced masks: at most 1 %.
  Both are timed as operations, over 1,000 calls each, since they drown in the noise of a step.
* tr(F) at the default settings (512 examples), once an epoch: under 3 % of an epoch.

    python benchmarks/added_cost.py [--calls 1000] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from timing import by_turns

from secateurs.core import Batch, Moment, Observation, Spec, generator_for
from secateurs.how import enforce, keep_top
from secateurs.what import magnitude
from secateurs.when import FisherTrace, KLUniform
from secateurs.zoo import Classification, ImageSet, build_model

BATCH, IMAGES = 128, 50_000


def calls(count: int, call: Callable[[], object]) -> float:
    """Median seconds of ``count`` calls."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    """Time the parts and print them as shares of a step and an epoch."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=1000)
    arguments.add_argument("--threads", type=int, default=1)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    task, model = Classification(10), build_model(Spec("resnet20"), (3, 32, 32), 10, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    generator = generator_for("benchmark")
    batch = Batch(torch.randn(BATCH, 3, 32, 32, generator=generator), torch.arange(BATCH) % 10)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch.inputs), batch.targets).backward()
        optimizer.step()

    images = torch.randint(0, 256, (512, 3, 32, 32), dtype=torch.uint8, generator=generator)
    probe = ImageSet(images, torch.arange(512) % 10, torch.full((3,), 127.0), torch.full((3,), 74.0))
    trace = FisherTrace()
    epoch_end = Observation(Moment(391, 391), "epoch", model, task, probe=probe)
    times = by_turns({"step": step, "tr(F)": lambda: trace.update(trace.init(model), epoch_end)}, 15)
    per_step = times["step"].median

    kl = KLUniform()
    seen = Observation(Moment(1, 391), "step", model, task, batch, model(batch.inputs).detach())
    state = kl.init(model)

    def log() -> None:
        nonlocal state
        state, _ = kl.update(state, seen)

    with enforce(model, optimizer, keep_top(magnitude(model), 0.1)) as enforcement:
        step()
        masks = calls(chosen.calls, lambda: enforcement._after_step(optimizer, (), {}))
        hooks = calls(chosen.calls, lambda: [t.zero_gradient(t.parameter) for t in enforcement._targets])
    epoch = per_step * IMAGES / BATCH
    print(f"ResNet-20, batch {BATCH}, float32, {chosen.threads} thread(s), torch {torch.__version__}\n")
    print("| what | time | share | goal |\n|---|---|---|---|")
    print(f"| a training step | {per_step * 1e3:.1f} ms | 1 | |")
    kl_time = calls(chosen.calls, log)
    print(f"| KL-uniform, one step's logits | {kl_time * 1e6:.1f} us | {kl_time / per_step:.3%} of a step | <= 0.1 % |")
    both = masks + hooks
    print(f"| masks: weights, momentum, gradients | {both * 1e6:.0f} us | {both / per_step:.3%} of a step | <= 1 % |")
    tr = times["tr(F)"].median
    print(f"| tr(F), 512 examples, once an epoch | {tr:.2f} s | {tr / epoch:.2%} of an epoch of {IMAGES} | < 3 % |")


if __name__ == "__main__":
    main()
