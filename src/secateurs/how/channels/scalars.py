"""Numbers that a forward pass calculates with: where they follow from widths, a cut would change them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

PRODUCTS = ("addmm", "baddbmm")

FILLED = {
    "full": "fill_value",
    "new_full": "fill_value",
    "full_like": "fill_value",
    "fill": "value",
    "scalar_tensor": "s",
}
"""Operations that make a tensor of one number, and what the number is called: their sizes may follow from widths."""

COUNTED = ("arange", "linspace", "logspace")

MOST = 4096
"""Entries of a tensor made in ``forward`` that are looked at."""


def scalars(
    where: str, func: Any, name: str, given: Any, unknown: list[Tensor]
) -> list[tuple[str, str, tuple[float, ...]]]:
    """The numbers that an operation is called with, if it calculates with them or makes a tensor: one entry, or none.

    Tensors that ``forward`` made of nothing (``torch.tensor(d).sqrt()``) are numbers, too: those with one entry, and
    the sums of larger ones.
    """
    found: list[float] = []
    kind = name.removesuffix("_")
    calculates = torch.Tag.pointwise in func.tags or kind in (*PRODUCTS, *COUNTED)
    if kind in FILLED:
        args, kwargs = given
        place = [argument.name for argument in func._schema.arguments].index(FILLED[kind])
        found = _numbers(args[place : place + 1] or kwargs.get(FILLED[kind]))
    elif calculates or kind.startswith("_scaled_dot_product"):
        found = _numbers(given)
    for each in unknown:
        if each.is_meta or each.is_complex() or each.layout != torch.strided or not 0 < each.numel() <= MOST:
            continue
        values = each.detach().to("cpu", torch.float64).reshape(-1)
        if len(values) > 1:  # where entries lie counts as well
            values = torch.stack([values.nan_to_num().sum(), values.nan_to_num() @ torch.arange(len(values)).double()])
        found += values.tolist()
    return [(where, name, tuple(found))] if found else []


def _numbers(given: Any) -> list[float]:
    return [float(each) for each in tree_leaves(given) if isinstance(each, int | float)]
