"""tr(F) by per-sample gradient norms: its cost against one ordinary pass, and against other ways to the same number.

* Per-sample norms over 128 examples (ResNet-20) and 64 (ResNet-18): at most 1.2 times one ordinary
  forward and backward pass (NCHW, float32) over the same examples; in bfloat16 with channels-last
  inputs at most 0.6 times. Others beside them: a loop over examples, ``vmap(grad)``, Opacus where
  it is installed, the one-pass batch estimator, exact labels.
* At equal variance, per-sample norms cost at most 1/8 of the batch estimator. Measured on a network
  in the middle of its training: on CIFAR-10 where ``--data`` has it, else on digits enlarged to 32 x 32.

    python benchmarks/fisher_trace.py [--turns 7] [--data FOLDER-OF-CIFAR-10-PARQUET] [--threads 1] [--forms]

``--forms`` prints, for each shape of convolution in the two networks, what its forms take and what
the rule of ``secateurs.what.convolutions`` takes them for.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from timing import by_turns, table
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from secateurs.core import Batch, Spec, generator_for
from secateurs.train import TrainSettings, begin, train
from secateurs.what import PerSample, convolutions
from secateurs.when.traces import batch_trace
from secateurs.zoo import Classification, Dataset, ImageSet, build_model
from secateurs.zoo.datasets import DATASETS

TASK = Classification(10)
FORWARD_BACKWARD = "forward + backward"


def examples(n: int) -> Batch:
    generator = generator_for("benchmark")
    return Batch(torch.randn(n, 3, 32, 32, generator=generator), torch.arange(n) % 10)


def channels_last(batch: Batch) -> Batch:
    return Batch(batch.inputs.contiguous(memory_format=torch.channels_last), batch.targets)


def low_precision(call: Callable[[], Tensor]) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return call()


def norms_of(model: nn.Module, labels: str = "sampled") -> Callable[[Batch], Tensor]:
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    generator = generator_for("benchmark", "labels") if labels == "sampled" else None
    return PerSample(model, TASK, names, labels=labels, generator=generator).squared_norms  # type: ignore[arg-type]


def loop(model: nn.Module, batch: Batch) -> Tensor:
    """One backward pass for each example."""
    model.eval()
    wanted = [*model.parameters()]
    norms = []
    for x, y in zip(batch.inputs, batch.targets, strict=True):
        found = torch.autograd.grad(F.cross_entropy(model(x[None]), y[None]), wanted)
        norms.append(torch.stack([g.square().sum() for g in found]).sum())
    model.train()
    return torch.stack(norms)


def by_vmap(model: nn.Module, batch: Batch, chunk: int = 16) -> Tensor:
    """What PyTorch's documentation recommends, a few examples at a time for the memory's sake."""
    model.eval()
    buffers, parameters = dict(model.named_buffers()), {k: p.detach() for k, p in model.named_parameters()}

    def loss(theta: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, (theta, buffers), (x[None],)), y[None])

    per_sample = vmap(grad(loss), (None, 0, 0))
    norms = []
    for x, y in zip(batch.inputs.split(chunk), batch.targets.split(chunk), strict=True):
        norms.append(sum(g.flatten(1).square().sum(1) for g in per_sample(parameters, x, y).values()))
    model.train()
    return torch.cat(norms)


def forward_backward(model: nn.Module, batch: Batch) -> None:
    model.zero_grad()
    F.cross_entropy(model(batch.inputs), batch.targets).backward()


def speed(kind: str, n: int, turns: int) -> None:
    """Everything that gives tr(F), side by side on one network."""
    model, batch = build_model(Spec(kind), (3, 32, 32), 10, seed=0), examples(n)
    last, norms = channels_last(batch), norms_of(model)
    ours: dict[str, Callable[[], object]] = {
        FORWARD_BACKWARD: partial(forward_backward, model, batch),
        "per-sample norms": partial(norms, batch),
        "per-sample norms, channels-last": partial(norms, last),
        "per-sample norms, bfloat16 channels-last": lambda: low_precision(partial(norms, last)),
        "one-pass batch estimator": partial(batch_trace, model, TASK, batch, generator_for("benchmark", "batch")),
    }
    others: dict[str, Callable[[], object]] = {
        FORWARD_BACKWARD: partial(forward_backward, model, batch),
        "exact labels, 9 backward passes": partial(norms_of(model, "exact"), batch),
        "loop over examples": partial(loop, model, batch),
        "vmap(grad)": partial(by_vmap, model, batch),
    }
    for contestants, count in ((ours, turns), (others, max(2, turns // 4))):
        times = by_turns(contestants, count, warm_up=1, clock=time.process_time)
        print(f"\n{kind}, {n} examples, {count} turns, seconds of the process\n\n{table(times, FORWARD_BACKWARD)}")
        base = times[FORWARD_BACKWARD].seconds
        print("\nratio of the fastest calls, and median of the ratios turn by turn:", end=" ")
        for name, each in times.items():
            paired = statistics.median(a / b for a, b in zip(each.seconds, base, strict=True))
            print(f"{name} {min(each.seconds) / min(base):.2f}, {paired:.2f}", end="; ")
        print(flush=True)
    print(f"Opacus: {opacus(model)}")


def opacus(model: nn.Module) -> str:
    if importlib.util.find_spec("opacus") is None:
        return "not installed"
    from opacus import GradSampleModule

    try:
        GradSampleModule(model)
    except Exception as error:  # noqa: BLE001 - whatever it says is what is reported
        return f"refuses this network: {str(error)[:80]}..."
    return "takes this network: time it"


def forms(turns: int) -> None:
    """Milliseconds of each form beside its estimated cost, for every shape of convolution of the two networks."""
    print(
        "\n| network | convolution | "
        + " | ".join(("gram", "grouped", "patches"))
        + " | chosen |\n|---|---|---|---|---|---|"
    )
    for kind, n in (("resnet20", 128), ("resnet18", 64)):
        model, shapes = build_model(Spec(kind), (3, 32, 32), 10, seed=0).eval(), dict[str, tuple[nn.Conv2d, Tensor]]()

        def note(module: nn.Module, args: tuple[Tensor], shapes: dict[str, tuple[nn.Conv2d, Tensor]] = shapes) -> None:
            if isinstance(module, nn.Conv2d):
                what = f"{module.in_channels} to {module.out_channels}, kernel {module.kernel_size[0]}"
                shapes[f"{what}, stride {module.stride[0]}, {args[0].shape[-1]} pixels"] = module, args[0].detach()

        for module in model.modules():
            module.register_forward_pre_hook(note)
        with torch.no_grad():
            model(examples(16).inputs)
        for what, (module, a) in shapes.items():
            g = torch.randn_like(module(a)).detach()
            costs = convolutions.costs(module, a, g)
            possible = {form: cost for form, cost in costs.items() if cost < 20 * min(costs.values())}
            calls = {form: partial(convolutions.squared_norms, module, a, g, form) for form in possible}
            times = by_turns(calls, turns, 1, time.process_time)
            cells = [
                f"{times[form].median * n / 16 * 1e3:.1f} ms ({costs[form] / 1e6:.2f} M)" if form in times else ""
                for form in ("gram", "grouped", "patches")
            ]
            print(f"| {kind} | {what} | {' | '.join(cells)} | {convolutions.cheapest(module, a, g)} |")


def pictures(folder: str | None) -> Dataset:
    """CIFAR-10 where it is, else scikit-learn's digits enlarged to 3 x 32 x 32."""
    if folder:
        return DATASETS["cifar10"](folder=folder, train_examples=4000)
    digits = DATASETS["digits"]()

    def enlarged(part: ImageSet) -> ImageSet:
        images = part.images.repeat_interleave(4, 2).repeat_interleave(4, 3).expand(-1, 3, -1, -1).contiguous()
        return ImageSet(images, part.targets, part.mean.expand(3), part.std.expand(3))

    parts = (enlarged(part) for part in (digits.train, digits.validation, digits.test))
    return Dataset("digits, enlarged", digits.source, digits.task, digits.num_classes, *parts)


def variance(folder: str | None, batches: int, epochs: int, size: int = 128) -> None:
    """Relative standard deviation of each estimator over batches, and the cost at equal variance."""
    data = pictures(folder)
    settings = TrainSettings.model_validate({"epochs": 2 * epochs, "batch_size": size, "channels_last": True})
    state = train(begin(Spec("resnet20"), data, settings, init_seed=0), data, settings, until=epochs, order_seed=0)
    model, source = state.model, generator_for("benchmark", "variance")
    sampled, exact = norms_of(model), norms_of(model, "exact")
    drawn = [data.train.batch(torch.randperm(len(data.train), generator=source)[:size]) for _ in range(batches)]
    ways: dict[str, Callable[[Batch], Tensor]] = {
        "per-sample norms": lambda batch: sampled(batch).mean(),
        "one-pass batch estimator": lambda batch: batch_trace(model, TASK, batch, source),
        "exact labels": lambda batch: exact(batch).mean(),
    }
    values = {name: [float(way(batch)) for batch in drawn] for name, way in ways.items()}
    times = by_turns({name: partial(way, drawn[0]) for name, way in ways.items()}, 7, 1, time.process_time)
    costs = {}
    print(f"\nresnet20, {data.name}, after {epochs} of {2 * epochs} epochs; {batches} batches of {size} examples\n")
    print("| estimator | mean | relative sd | time (ms) | cost at equal variance |\n|---|---|---|---|---|")
    for name, found in values.items():
        spread = statistics.stdev(found) / statistics.mean(found)
        costs[name] = spread**2 * times[name].median
        ratio = costs[name] / costs["per-sample norms"]
        cells = f"{statistics.mean(found):.4g} | {spread:.3f} | {times[name].median * 1e3:.0f} | {ratio:.2f}"
        print(f"| {name} | {cells} |")
    precise = PerSample(model, TASK, [name for name, _ in model.named_parameters()], labels="true")
    batch = drawn[0]
    one, low = precise.squared_norms(batch), low_precision(lambda: precise.squared_norms(channels_last(batch)))
    error = ((low - one) / one).abs().median()
    print(f"\nbfloat16 against float32, same labels: mean {float(low.mean() / one.mean() - 1):+.2%}", end="")
    print(f", a single example's norm {float(error):.2%} (median)")


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--turns", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--data")
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--batches", type=int, default=32)
    arguments.add_argument("--only", choices=("resnet20", "resnet18", "variance"))
    arguments.add_argument("--forms", action="store_true")
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{chosen.threads} thread(s), torch {torch.__version__}")
    if chosen.forms:
        forms(chosen.turns)
        return
    for kind, n in (("resnet20", 128), ("resnet18", 64)):
        if chosen.only in (None, kind):
            speed(kind, n, chosen.turns)
    if chosen.only in (None, "variance"):
        variance(chosen.data, chosen.batches, chosen.epochs)


if __name__ == "__main__":
    main()
