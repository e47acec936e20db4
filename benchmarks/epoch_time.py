"""Our training loop against a plain one, on the same ResNet-20, images and machine: at least 2 times faster.

The plain loop is what most people write: a Dataset of PIL images with crop, flip, to-tensor and
normalise for each image, a DataLoader, float32, SGD. Ours: device-resident uint8 images,
augmentation of whole batches, bfloat16 and channels-last where the device has them. Steps of both
are interleaved in one process; a step is one batch of 128, its loading and augmentation included.
The accuracy beside it: both trained on the same 4,000 images for 6 epochs, 3 seeds.

    python benchmarks/epoch_time.py [--steps 300] [--data FOLDER-OF-CIFAR-10-PARQUET] [--threads 1]

Without ``--data`` the images are random, and no accuracy is measured.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from timing import by_turns, table
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from secateurs.core import Spec, generator_for
from secateurs.measure import evaluate
from secateurs.train import TrainSettings, begin, train
from secateurs.zoo import Classification, Dataset, ImageSet, build_model
from secateurs.zoo.datasets import DATASETS

BATCH = 128
RESNET_20 = Spec("resnet20")


class PlainImages(TorchDataset[tuple[Tensor, int]]):
    """PIL images with the usual transforms, one image at a time."""

    def __init__(self, data: ImageSet) -> None:
        self.images = [Image.fromarray(image) for image in data.images.permute(0, 2, 3, 1).numpy()]
        self.targets = data.targets.tolist()
        self.mean, self.std = data.mean.view(3, 1, 1) / 255, data.std.view(3, 1, 1) / 255

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.new("RGB", (40, 40))
        image.paste(self.images[index], (4, 4))
        left, top = random.randint(0, 8), random.randint(0, 8)  # noqa: S311 - augmentation, no secret
        image = image.crop((left, top, left + 32, top + 32))
        if random.random() < 0.5:  # noqa: S311
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)
        return tensor.sub_(self.mean).div_(self.std), self.targets[index]


class Plain:
    """The plain loop, one step at a call."""

    def __init__(self, data: Dataset, seed: int, decay: float = 0.97) -> None:
        self.model = build_model(RESNET_20, data.input_shape, data.num_classes, seed)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        self.loader = DataLoader(PlainImages(data.train), BATCH, shuffle=True)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, decay)
        self.batches: Iterator[Any] = iter(self.loader)

    def step(self) -> bool:
        """One step; False when an epoch has ended instead."""
        try:
            images, targets = next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            self.scheduler.step()
            return False
        self.model.train()
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(images), targets).backward()
        self.optimizer.step()
        return True


class Ours:
    """Our loop, one step at a call."""

    def __init__(self, data: Dataset, seed: int, precision: str, epochs: int, decay: float = 0.97) -> None:
        self.data = data
        self.settings = TrainSettings.model_validate(
            {
                "epochs": epochs,
                "batch_size": BATCH,
                "augment": "flip_crop",
                "precision": precision,
                "channels_last": True,
                "schedule": {"name": "exponential", "gamma": decay},
            }
        )
        self.state = begin(RESNET_20, data, self.settings, init_seed=seed)
        self.seed = seed

    def step(self) -> None:
        self.state = train(self.state, self.data, self.settings, until=self.state.moment + 1, order_seed=self.seed)


def made_up(n: int = 5000) -> Dataset:
    """Random images of CIFAR's shape: time does not depend on what they show."""
    generator = generator_for("benchmark")
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)
    targets = torch.arange(n) % 10
    part = ImageSet(images, targets, torch.full((3,), 127.0), torch.full((3,), 74.0))
    return Dataset("random", "random images", Classification(10), 10, part, part, part)


def accuracy(model: nn.Module, data: Dataset) -> float:
    return evaluate(model, data.task, data.test)["accuracy"]


def compare_accuracy(folder: str, precision: str, epochs: int = 6, seeds: int = 3) -> None:
    """Both loops to the same number of epochs; differences of test accuracy with their spread."""
    data = DATASETS["cifar10"](folder=folder, train_examples=4000)
    rows = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        random.seed(seed)
        plain = Plain(data, seed, decay=0.6)
        for _ in range(epochs):
            while plain.step():
                pass
        ours = Ours(data, seed, precision, epochs, decay=0.6)
        state = train(ours.state, data, ours.settings, until=epochs, order_seed=seed)
        rows.append((accuracy(plain.model, data), accuracy(state.model, data)))
    differences = [100 * (ours - plain) for plain, ours in rows]
    mean, error = statistics.mean(differences), statistics.stdev(differences) / seeds**0.5
    print(f"\ntest accuracy after {epochs} epochs on 4,000 images, {seeds} seeds (plain, ours): ", end="")
    print(", ".join(f"{100 * plain:.1f} {100 * ours:.1f}" for plain, ours in rows))
    low, high = mean - 4.303 * error, mean + 4.303 * error  # t with 2 degrees of freedom
    print(f"ours - plain: {mean:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}")


def main() -> None:
    """Time the steps, then compare accuracy where there are data."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=300)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--data")
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    precision = "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
    data = made_up()
    plain, ours = Plain(data, 0), Ours(data, 0, precision, epochs=1000)
    exact = Ours(data, 0, "float32", epochs=1000)
    contestants = {
        "plain DataLoader loop, float32": lambda: plain.step() or plain.step(),
        "ours, float32 channels-last": exact.step,
        f"ours, {precision} channels-last": ours.step,
    }
    times = by_turns(contestants, chosen.steps)
    print(f"ResNet-20, batch {BATCH}, {chosen.threads} thread(s), {chosen.steps} interleaved steps", end=", ")
    print(f"torch {torch.__version__}\n")
    print(table(times, "plain DataLoader loop, float32"))
    if chosen.data:
        compare_accuracy(chosen.data, precision)


if __name__ == "__main__":
    main()
