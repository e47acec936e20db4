"""Numbers that modules keep about their tensors: what they are after a cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from secateurs.core import PruningError

Shapes = Mapping[str, tuple[list[int], list[int]]]
"""Tensor of a module -> its shape before and after."""

FOLLOWERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "GPT2Attention": ("c_attn", ("num_heads", "split_size")),
    "BertSelfAttention": ("query", ("num_attention_heads", "all_head_size")),
    "RobertaSelfAttention": ("query", ("num_attention_heads", "all_head_size")),
    "DistilBertSelfAttention": ("q_lin", ("n_heads", "dim")),
    "ViTAttention": ("q_proj", ("num_attention_heads",)),
}
"""Class of a module (of transformers, which need not be installed) -> its layer that makes the heads, and the numbers
of the module that shrink as that layer's width does."""


def numbers_of(path: str, module: nn.Module, shapes: Shapes) -> dict[str, Any]:
    """The attributes of a module that follow from the shapes of its tensors.

    Raises:
        PruningError: when a part of a group of channels would be left.
    """
    before, after = shapes.get("weight") or next(iter(shapes.values()))
    match module:
        case nn.modules.conv._ConvNd() if "weight" in shapes:
            groups = module.groups if module.groups == 1 else _share(path, "groups", module.groups, before, after)
            one, other = after[0], after[1] * groups
            out, into = (other, one) if module.transposed else (one, other)
            return {"out_channels": out, "in_channels": into, "groups": groups}
        case nn.Linear() if "weight" in shapes:
            return {"out_features": after[0], "in_features": after[1]}
        case nn.modules.batchnorm._NormBase():
            return {"num_features": after[0]}
        case nn.GroupNorm():
            groups = _share(path, "num_groups", module.num_groups, before, after)
            return {"num_channels": after[0], "num_groups": groups}
        case nn.Embedding():
            return {"num_embeddings": after[0], "embedding_dim": after[1]}
        case nn.RNNBase():
            sizes = {"input_size": "weight_ih_l0", "hidden_size": "weight_hh_l0"}
            return {what: shapes[name][1][1] for what, name in sizes.items() if name in shapes}
        case nn.RNNCellBase():
            sizes = {"input_size": "weight_ih", "hidden_size": "weight_hh"}
            return {what: shapes[name][1][1] for what, name in sizes.items() if name in shapes}
        case nn.PReLU():
            return {"num_parameters": after[0]}
    if type(module).__name__ == "Conv1D" and "weight" in shapes and {"nf", "nx"} <= vars(module).keys():
        return {"nx": after[0], "nf": after[1]}  # of transformers: a Linear layer with its weight turned
    return {}


def following_numbers(path: str, module: nn.Module, numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The attributes of a module that follow from the width of a layer inside; ``numbers`` are those of the layers."""
    layer, attributes = FOLLOWERS.get(type(module).__name__, ("", ()))
    after = numbers.get(f"{path}.{layer}" if path else layer)
    if not attributes or after is None:
        return {}
    inside, width = module.get_submodule(layer), "out_features" if "out_features" in after else "nf"
    before = getattr(inside, width)
    return {
        each: getattr(module, each) * after[width] // before
        for each in attributes
        if isinstance(vars(module).get(each), int)
    }


def _share(path: str, what: str, number: int, before: list[int], after: list[int]) -> int:
    groups, rest = divmod(number * after[0], before[0])
    if rest:
        raise PruningError(
            f"keep: {path!r} has {number} {what} of {before[0] // number} channels, which can only be removed whole; "
            f"{after[0]} of {before[0]} channels would be left"
        )
    return groups
