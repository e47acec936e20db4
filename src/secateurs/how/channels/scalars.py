"""Numbers that a forward pass calculates with: where they follow from widths, a cut would change them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

PRODUCTS = ("addmm", "baddbmm")


def scalars(
    where: str, func: Any, name: str, given: Any, unknown: list[Tensor]
) -> list[tuple[str, str, tuple[float, ...]]]:
    """The numbers that an operation on entries, a product or attention is called with: one entry, or none.

    A tensor with one entry that ``forward`` made of nothing (``torch.tensor(d).sqrt()``) is a number, too.
    """
    if torch.Tag.pointwise not in func.tags and name not in PRODUCTS and not name.startswith("_scaled_dot_product"):
        return []
    found = [float(each) for each in tree_leaves(given) if isinstance(each, int | float)]
    found += [float(each) for each in unknown if each.numel() == 1 and not each.is_meta and not each.is_complex()]
    return [(where, name, tuple(found))] if found else []
