"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable

from secateurs.zoo.data import Dataset
from secateurs.zoo.digits import digits
from secateurs.zoo.sources import (
    cifar10,
    cifar100,
    fashion_mnist,
    image_folder,
    imagenet,
    mnist,
    parquet,
    svhn,
    tiny_imagenet,
)

DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "svhn": svhn,
    "tiny_imagenet": tiny_imagenet,
    "parquet": parquet,
    "image_folder": image_folder,
    "imagenet": imagenet,
}
"""The only place where a name means a data set."""
