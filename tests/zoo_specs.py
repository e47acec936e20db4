"""Every network of the zoo as small as its own options make it: what tests over the whole zoo build."""

from __future__ import annotations

import inspect

from secateurs.core import Spec
from secateurs.zoo import MODELS

SHAPE = (3, 32, 32)

SHALLOW = {
    "cifar_resnet": {"depth": 8},
    "densenet": {"depth": 16, "bc": True},
    "inception_v3": {"stem": "small"},
    "preresnet": {"depth": 8},
    "wide_resnet": {"depth": 8, "widen": 2},
}
"""Networks whose depth is an option; ``densenet`` is DenseNet-BC here, ``densenet40`` being without.

Inception-v3 has the stem for small images, since the other one takes none of 32 x 32."""


def small(name: str, width: int = 4, **more: object) -> Spec:
    """The network of that name with ``width`` channels where it begins, or about as many where it counts otherwise."""
    taken = inspect.signature(MODELS[name]).parameters
    options = {"width": width, "hidden": (2 * width + 1, 2 * width - 1), "growth": width // 2 + 1, "initial": width}
    return Spec(name, {key: value for key, value in options.items() if key in taken} | SHALLOW.get(name, {}) | more)
