"""Published data sets by name: from the hub, or from local parquet files with the hub's layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secateurs.core import DataError
from secateurs.zoo.data import Dataset
from secateurs.zoo.sources.cache import cached
from secateurs.zoo.sources.encoded import Source
from secateurs.zoo.sources.hub import hub_source
from secateurs.zoo.sources.split import assemble
from secateurs.zoo.sources.tables import parquet_source


@dataclass(frozen=True)
class Published:
    """Where a data set is found on the hub, and what is known about it. ``test`` is the split that is tested on."""

    name: str
    title: str
    num_classes: int
    hub: str
    config: str = "default"
    test: str = "test"
    label: str = "label"


def published(facts: Published) -> Callable[..., Dataset]:
    """A function that loads the data set; all of them have the same options."""

    def load(
        *,
        folder: str | None = None,
        size: int | None = None,
        validation: int | None = None,
        train_examples: int | None = None,
        title: str | None = None,
    ) -> Dataset:
        if folder is None:
            sources = [hub_source(facts.hub, facts.config, split, facts.label) for split in ("train", facts.test)]
        else:
            sources = [_local(folder, split, facts.label) for split in ("train", facts.test)]
        return assemble(
            facts.name,
            title or facts.title,
            *(cached(source, size) for source in sources),
            num_classes=facts.num_classes,
            validation=validation,
            train_examples=train_examples,
        )

    load.__name__ = load.__qualname__ = facts.name
    load.__doc__ = f"""{facts.title}: {facts.num_classes} classes, from the hub ({facts.hub}) or a local folder.

    Args:
        folder: read ``train*.parquet`` and ``{facts.test}*.parquet`` there instead of asking the hub.
        size: resize every image to ``size`` x ``size``; None leaves it as it is.
        validation: training examples held out, stratified; None for a tenth.
        train_examples: train on a stratified subset of the others; None for all.
        title: what reports call the data; None for "{facts.title}".

    Raises:
        DataError: when the data cannot be had or used, naming the remedy.
    """
    return load


def _local(folder: str, split: str, label: str) -> Source:
    base = Path(folder).expanduser()
    if not base.is_dir():
        raise DataError(f"{base}: there is no such folder, seen from {Path.cwd()}: correct `folder`")
    return parquet_source(str(base / f"{split}*.parquet"), None, label)


mnist = published(Published("mnist", "MNIST", 10, "ylecun/mnist", "mnist"))
fashion_mnist = published(
    Published("fashion_mnist", "Fashion-MNIST", 10, "zalando-datasets/fashion_mnist", "fashion_mnist")
)
cifar10 = published(Published("cifar10", "CIFAR-10", 10, "uoft-cs/cifar10", "plain_text"))
cifar100 = published(Published("cifar100", "CIFAR-100", 100, "uoft-cs/cifar100", "cifar100", label="fine_label"))
svhn = published(Published("svhn", "SVHN", 10, "ufldl-stanford/svhn", "cropped_digits"))
tiny_imagenet = published(Published("tiny_imagenet", "Tiny ImageNet", 200, "zh-plus/tiny-imagenet", test="valid"))
