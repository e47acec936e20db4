"""From decoded splits to a data set: labels checked, validation examples held out, normalisation measured.

How a set is split is part of its definition, so no run's seed enters here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from secateurs.core import DataError, generator_for
from secateurs.zoo.data import Dataset, ImageSet
from secateurs.zoo.sources.cache import Pixels
from secateurs.zoo.streamed import Images, StreamedImages, fetched, taken
from secateurs.zoo.tasks import Classification

SAMPLE = 2048
"""Streamed training images that the normalisation is measured on."""

CHUNK = 256
"""Images whose pixels are counted at a time, at most."""


def assemble(
    name: str,
    title: str,
    train: Pixels,
    test: Pixels,
    *,
    held: Pixels | None = None,
    num_classes: int | None = None,
    validation: int | None = None,
    train_examples: int | None = None,
    crop: int | None = None,
    normalisation: tuple[Tensor, Tensor] | None = None,
) -> Dataset:
    """A data set out of splits.

    Args:
        held: the source's own validation split; without it, examples of ``train`` are held out.
        num_classes: None for one more than the highest training label.
        validation: how many examples to hold out, in the proportions of the classes; None for a tenth.
        train_examples: how many of the others to train on, in the same proportions; None for all.
        crop: side of what networks see of each image; None for all of it.
        normalisation: mean and standard deviation of each channel, ``[C]`` in units of the pixels; None to
            measure them on the training images.

    Raises:
        DataError: for labels out of range, classes missing from a split, numbers that cannot be met, or
            splits of different image sizes.
    """
    if num_classes is None:
        num_classes = _counted(train)
    parts = [part for part in (train, held, test) if part is not None]
    for part in parts:
        _check_labels(part, num_classes)
    train, *others = _alike(parts)
    if held is None:
        count = (len(train.labels) + 5) // 10 if validation is None else validation
        chosen, rest = stratified(train.labels, count, "validation", train.where)
        kept_out = _taken(train, chosen)
    elif validation is None:
        kept_out, rest = others[0], _shuffled(len(train.labels), "train")
    else:
        raise DataError(f"{name}: {held.where} is the validation split already: leave out validation = {validation}")
    if train_examples is not None and train_examples != len(rest):
        rest = rest[stratified(train.labels[rest], train_examples, "train_examples", train.where)[0]]
    seen = _taken(train, rest)
    margin = 0 if crop is None else _margin(name, seen.images.shape[-2:], crop)
    mean, std = normalisation or _normalisation(seen.images)
    sets = [ImageSet(part.images, part.labels, mean, std, margin) for part in (seen, kept_out, others[-1])]
    return Dataset(name, title, Classification(num_classes), num_classes, *sets)


def stratified(labels: Tensor, count: int, option: str, where: str) -> tuple[Tensor, Tensor]:
    """Indices of ``count`` examples with classes as in ``labels``, and of the other examples; both shuffled.

    Each class gives its exact share rounded down; what is then missing comes from the classes with
    the largest remainders, lower classes first. (scikit-learn's split refuses to leave fewer
    examples than there are classes.)

    Raises:
        DataError: when the count is not between 1 and all but one, or the chosen examples lack a class.

    >>> chosen, rest = stratified(torch.tensor([0, 1] * 10), 4, "validation", "toy")
    >>> len(rest), torch.tensor([0, 1] * 10)[chosen].bincount().tolist()
    (16, [2, 2])
    """
    total = len(labels)
    if not 1 <= count < total:
        raise DataError(f"{where}: {option} must lie in 1..{total - 1} of {total} examples, got {count}")
    members = torch.bincount(labels)
    share, remainder = members * count // total, members * count % total
    share[remainder.argsort(descending=True, stable=True)[: count - int(share.sum())]] += 1
    for label in ((share == 0) & (members > 0)).nonzero().flatten().tolist():
        have = int(members[label])
        raise DataError(
            f"{where}: {option} = {count} of {total} examples leaves out class {label}, which has {have}: "
            f"set {option} to at least {-(-total // have)}, or add examples of the class"
        )
    order = _shuffled(total, option)
    taken = torch.zeros(total, dtype=torch.bool)
    for label, some in enumerate(share.tolist()):
        taken[order[labels[order] == label][:some]] = True
    return order[taken[order]], order[~taken[order]]


def _counted(train: Pixels) -> int:
    """One more than the highest label, if that can be a number of classes."""
    row = int(train.labels.argmax())
    highest = int(train.labels[row])
    if highest >= len(train.labels):
        raise DataError(
            f"{train.where}: label {highest} in row {row} would make {highest + 1} classes out of "
            f"{len(train.labels)} examples: labels must count from 0"
        )
    return highest + 1


def _check_labels(part: Pixels, num_classes: int) -> None:
    wrong = (part.labels >= num_classes).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{part.where}: label {int(part.labels[row])} in row {row} lies outside 0..{num_classes - 1} "
            f"({len(wrong)} such rows): correct the labels, or name the right label column"
        )
    missing = (torch.bincount(part.labels, minlength=num_classes) == 0).nonzero().flatten().tolist()
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise DataError(
            f"{part.where}: no example of class {', '.join(map(str, missing[:10]))}{more} among "
            f"{len(part.labels)}, and there are {num_classes} classes: add examples, or number the classes without gaps"
        )


def _alike(parts: list[Pixels]) -> list[Pixels]:
    """Splits of one image size, all in colour if one is."""
    first = parts[0]
    channels = max(part.images.shape[1] for part in parts)
    for part in parts:
        if part.images.shape[2:] != first.images.shape[2:]:
            (h, w), (other_h, other_w) = first.images.shape[2:], part.images.shape[2:]
            raise DataError(
                f"{first.where} has images of {w} x {h} (width x height), {part.where} of {other_w} x {other_h}: "
                "set size to resize them all"
            )
    return [part._replace(images=_coloured(part.images, channels)) for part in parts]


def _coloured(images: Images, channels: int) -> Images:
    return images if isinstance(images, StreamedImages) else images.expand(-1, channels, -1, -1)


def _taken(part: Pixels, index: Tensor) -> Pixels:
    return part._replace(images=taken(part.images, index), labels=part.labels[index])


def _margin(name: str, sides: Sequence[int], crop: int) -> int:
    """Pixels on each side of a central window of ``crop`` x ``crop``."""
    height, width = sides
    if height != width:
        raise DataError(f"{name}: crop = {crop} takes square images, but these are {width} x {height}: set size")
    if not 1 <= crop <= height or (height - crop) % 2:
        raise DataError(
            f"{name}: crop must be one of {height}, {height - 2}, {height - 4}, ..., as much being cut on either side "
            f"of images of {height} x {height}, got {crop}"
        )
    return (height - crop) // 2


def _shuffled(total: int, purpose: str) -> Tensor:
    return torch.randperm(total, generator=generator_for("split", purpose))


def _normalisation(images: Images) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, ``[C]`` float32, exact from a count of every value.

    Streamed images are counted on a fixed sample. A channel that never changes gets deviation 1: it
    carries nothing, and must not become NaN.
    """
    some = images.sample(SAMPLE) if isinstance(images, StreamedImages) else images
    total, channels = some.shape[:2]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for part in fetched(some, [slice(start, start + CHUNK) for start in range(0, total, CHUNK)]):
        counts += torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in part.unbind(1)])
    values = torch.arange(256, dtype=torch.float64)
    means, deviations = [], []
    for count in counts.double():
        mean = (count @ values) / count.sum()
        means.append(mean)
        deviations.append(((count @ (values - mean) ** 2) / count.sum()).sqrt())
    std = torch.stack(deviations)
    return torch.stack(means).float(), torch.where(std > 0, std, 1.0).float()
