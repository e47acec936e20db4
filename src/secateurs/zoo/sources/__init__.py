"""Data sets of images from elsewhere: the Hugging Face hub, parquet files, folders.

Images are decoded once, kept as uint8 tensors in a cache of our own, and split once and for all; folders
too large for that are streamed.
Needs the extra ``data``, which is imported only when something is read that the cache does not hold.
"""

from secateurs.zoo.sources.folder import image_folder, imagenet
from secateurs.zoo.sources.published import cifar10, cifar100, fashion_mnist, mnist, svhn, tiny_imagenet
from secateurs.zoo.sources.tables import parquet

__all__ = [
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "image_folder",
    "imagenet",
    "mnist",
    "parquet",
    "svhn",
    "tiny_imagenet",
]
