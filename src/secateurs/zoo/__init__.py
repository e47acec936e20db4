"""The zoo: tasks, networks and data to study pruning on."""

from secateurs.zoo.augment import AUGMENTATIONS
from secateurs.zoo.data import Dataset, ImageSet
from secateurs.zoo.datasets import DATASETS
from secateurs.zoo.digits import digits
from secateurs.zoo.models import (
    MODELS,
    VGG,
    ResNet,
    build_model,
    cifar_resnet,
    conv_2,
    conv_4,
    conv_6,
    digits_resnet,
    lenet_300_100,
    resnet18,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    vgg11,
    vgg13,
    vgg16,
    vgg19,
)
from secateurs.zoo.sources import cifar10, cifar100, fashion_mnist, image_folder, mnist, parquet, svhn, tiny_imagenet
from secateurs.zoo.tasks import Categorical, Classification

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "MODELS",
    "VGG",
    "Categorical",
    "Classification",
    "Dataset",
    "ImageSet",
    "ResNet",
    "build_model",
    "cifar10",
    "cifar100",
    "cifar_resnet",
    "conv_2",
    "conv_4",
    "conv_6",
    "digits",
    "digits_resnet",
    "fashion_mnist",
    "image_folder",
    "lenet_300_100",
    "mnist",
    "parquet",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "svhn",
    "tiny_imagenet",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]
