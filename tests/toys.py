"""Small nets and data for tests, and the check that something was left exactly as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from secateurs.core import Batch, Spec
from secateurs.zoo import Classification, Dataset, ImageSet

CLASSES = 3
LENET = Spec("lenet_300_100", {"hidden": (8, 6)})
RESNET = Spec("digits_resnet", {"width": 4})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int, seed: int) -> ImageSet:
    """``count`` noisy 1 x 6 x 6 pictures of 3 classes in turn; a class is a bright pair of rows."""
    targets = torch.arange(count) % CLASSES
    pixels = torch.randint(0, 120, (count, 1, 6, 6), generator=generator(seed))
    for row in range(2):
        pixels[torch.arange(count), 0, 2 * targets + row] += 100
    return ImageSet(pixels.to(torch.uint8), targets, torch.tensor([90.0]), torch.tensor([60.0]))


def toy_data(train: int = 48) -> Dataset:
    """A data set that small nets learn within a few epochs."""
    return Dataset("toy", "toy", Classification(CLASSES), CLASSES, images(train, 1), images(15, 2), images(15, 3))


@dataclass
class Fixed:
    """Examples of any dtype and shape, in a fixed order; counts what is taken from it."""

    inputs: Tensor
    targets: Tensor
    taken: int = 0

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        end = len(self) if limit is None else min(limit, len(self))
        for start in range(0, end, size):
            stop = min(start + size, end)
            self.taken += stop - start
            yield Batch(self.inputs[start:stop], self.targets[start:stop])


@dataclass(frozen=True)
class Recording(Classification):
    """Classification that writes down which labels were sampled; ``fail_at`` raises at the n-th batch."""

    num_classes: int = CLASSES
    drawn: list[Tensor] = field(default_factory=list)
    fail_at: int | None = None

    def predictive(self, output: Tensor) -> Any:
        real, drawn, fail_at = super().predictive(output), self.drawn, self.fail_at

        class Recorded:
            def sample(self, source: torch.Generator) -> Tensor:
                if len(drawn) == fail_at:
                    raise BrokenError
                drawn.append(real.sample(source))
                return drawn[-1]

            def log_prob(self, y: Tensor) -> Tensor:
                return real.log_prob(y)

        return Recorded()

    @property
    def labels(self) -> Tensor:
        return torch.cat(self.drawn)


class BrokenError(Exception):
    """What breaks in the middle of something, on purpose."""


class NoPrediction:
    """A task without a predictive distribution."""

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        return model(batch.inputs)

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        return (output - 1).square().mean(1)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return self.losses(output, batch).mean()

    def size(self, batch: Batch) -> int:
        return len(batch.targets)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.losses(output, batch).sum()}


def net(seed: int = 0, *, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Convolution, norm, dropout and classifier on 1 x 6 x 6, with statistics, modes and gradients that differ."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3, stride=2, padding=1),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(27, CLASSES),
        )
        model.get_submodule("1").running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr,operator]
        model.get_submodule("1").running_var.uniform_(0.5, 2)  # type: ignore[union-attr,operator]
    model = model.to(dtype)
    model[1].eval()  # a mix of modes: all of them have to come back
    model[0].weight.grad = torch.full_like(model[0].weight, 0.25)
    return model


def parts(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that somebody could notice a change of."""
    found: dict[str, Any] = {}
    for name, p in model.named_parameters():
        found[f"parameter {name}"] = (id(p), p.requires_grad, p.grad_fn, content(p))
        found[f"grad {name}"] = None if p.grad is None else (id(p.grad), content(p.grad))
    for name, buffer in model.named_buffers():
        found[f"buffer {name}"] = (id(buffer), content(buffer))
    for name, module in model.named_modules():
        found[f"mode {name}"] = module.training
        hooks = [key for key in vars(module) if key.endswith("_hooks") or key.endswith("_pre_hooks")]
        found[f"hooks {name}"] = {key: list(vars(module)[key] or ()) for key in hooks}
        found[f"attributes {name}"] = sorted(vars(module))
    return found


def surroundings() -> dict[str, Any]:
    """The global state that a pure function leaves alone."""
    return {
        "torch": content(torch.get_rng_state()),
        "python": random.getstate(),
        "numpy": str(np.random.get_state(legacy=False)),
        "grad mode": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
    }


def content(tensor: Tensor) -> bytes:
    """The very bits, so that NaN is equal to NaN and 0.0 not to -0.0."""
    return tensor.detach().contiguous().numpy().tobytes()


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Afterwards, also by way of an exception, the model and the surroundings are as they were."""
    before = parts(model) | surroundings()
    try:
        yield
    finally:
        after = parts(model) | surroundings()
        assert [key for key in before if after.get(key) != before[key]] == []
        assert sorted(after) == sorted(before)


def same_bits(a: Any, b: Any) -> bool:
    """Whether two models have the same parameters and buffers, bit for bit."""
    left, right = a.state_dict(), b.state_dict()
    return list(left) == list(right) and all(content(left[name]) == content(right[name]) for name in left)
