"""Real handwritten digits that come with scikit-learn: 1,797 images of 8 x 8, no download.

Source: the test part of the UCI "Optical Recognition of Handwritten Digits" data (E. Alpaydin,
C. Kaynak), as embedded in scikit-learn.
"""

from __future__ import annotations

import numpy as np
import torch

from secateurs.core import DataError
from secateurs.zoo.data import Dataset, ImageSet
from secateurs.zoo.tasks import Classification

_SPLIT_SEED = 0  # The split is part of the data set's definition, not of a run's randomness.


def digits(*, train_examples: int = 1077, enlarge: int = 1) -> Dataset:
    """The digits, split once and for all into 1,077 training, 360 validation and 360 test images.

    One test image is 0.28 percentage points. Pixel values are 0..16.

    Args:
        train_examples: keep only the first so many training examples (for quick trials).
        enlarge: make every pixel a square of ``enlarge`` x ``enlarge`` (4 gives 32 x 32, for
            networks that halve the resolution often).

    Raises:
        DataError: when a class is missing from a split.
    """
    from sklearn.datasets import load_digits  # here: it takes most of a second, which few commands need
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = torch.from_numpy(bunch.images.astype(np.uint8)).unsqueeze(1)
    targets = torch.from_numpy(bunch.target.astype(np.int64))
    rest, test = train_test_split(np.arange(len(targets)), test_size=360, random_state=_SPLIT_SEED, stratify=targets)
    train, validation = train_test_split(rest, test_size=360, random_state=_SPLIT_SEED, stratify=targets[rest])
    if not 1 <= train_examples <= len(train):
        raise DataError(f"digits: train_examples must lie in 1..{len(train)}, got {train_examples}")
    if enlarge < 1:
        raise DataError(f"digits: enlarge must be at least 1, got {enlarge}")
    images = images.repeat_interleave(enlarge, -1).repeat_interleave(enlarge, -2)
    train = train[:train_examples]
    seen = images[train].float()
    mean, std = seen.mean().reshape(1), seen.std().reshape(1)

    def part(index: np.ndarray) -> ImageSet:
        return ImageSet(images[index], targets[index], mean, std)

    return Dataset("digits", "scikit-learn digits", Classification(10), 10, part(train), part(validation), part(test))
