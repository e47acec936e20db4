"""The zoo: tasks, networks and data to study pruning on."""

from secateurs.zoo.augment import AUGMENTATIONS
from secateurs.zoo.data import Dataset, ImageSet
from secateurs.zoo.digits import DATASETS, digits
from secateurs.zoo.models import MODELS, build_model, digits_resnet, lenet_300_100
from secateurs.zoo.tasks import Categorical, Classification

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "MODELS",
    "Categorical",
    "Classification",
    "Dataset",
    "ImageSet",
    "build_model",
    "digits",
    "digits_resnet",
    "lenet_300_100",
]
