"""Networks with attention and recurrent cells, in the ways that people write them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Attention of 4 numbers a head whose forward pass takes the number of heads from the tensors.

    Args:
        width: of what is read and made.
        heads: of queries.
        shared: how many heads of queries share one of keys and values.
        fused: one layer makes queries, keys and values, side by side.
        bias: an embedding of distances gives each head a bias of its own, as T5 has it.
    """

    def __init__(self, width: int, heads: int, shared: int = 1, fused: bool = False, bias: bool = False) -> None:
        super().__init__()
        self.shared, self.out = shared, nn.Linear(4 * heads, width)
        self.distances = nn.Embedding(7, heads) if bias else None
        if fused:
            self.qkv = nn.Linear(width, 12 * heads)
        else:
            self.q, keys = nn.Linear(width, 4 * heads), 4 * heads // shared
            self.k, self.v = nn.Linear(width, keys), nn.Linear(width, keys)
        self.fused = fused

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        shape = (*x.shape[:2], -1, 4)
        made = self.qkv(x).chunk(3, -1) if self.fused else (self.q(x), self.k(x), self.v(x))
        q, k, v = (each.view(shape).transpose(1, 2) for each in made)
        if self.shared > 1:
            k, v = (each[:, :, None].expand(-1, -1, self.shared, -1, -1).flatten(1, 2) for each in (k, v))
        if self.distances is not None:
            at = torch.arange(x.shape[1])
            mask = self.distances((at[:, None] - at).clamp(-3, 3) + 3).permute(2, 0, 1)[None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(*x.shape[:2], -1))


class Language(nn.Module):
    """GPT-like: words and places are embedded, the output layer is tied to the words; norms or none."""

    def __init__(self, width: int, norm: bool, layers: int = 2, **options: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(9, width)
        self.places = nn.Parameter(torch.randn(16, width))
        self.attention = nn.ModuleList(Attention(width, 3, **options) for _ in range(layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 10), nn.GELU(), nn.Linear(10, width)) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(layers))
        self.head = nn.Linear(width, 9, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.words(x.argmax(-1)) + self.places[: x.shape[1]]
        for norm, attention, mlp in zip(self.norms, self.attention, self.mlp, strict=True):
            x = x + attention(norm(x))
            x = x + mlp(norm(x))
        return self.head(x)


class Pictures(nn.Module):
    """ViT-like, as torchvision has it: patches, a class token, torch's own attention, norms first."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 5, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Dropout(0.0), nn.Linear(12, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head((x + self.mlp(self.norm2(x)))[:, 0])


class Timm(nn.Module):
    """Queries, keys and values as a dimension of their own; products and softmax by hand, by a constant scale."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 36), nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, -1, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = (q * 0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return x + self.out(y.transpose(1, 2).flatten(2))


class Padded(nn.Module):
    """Torch's encoder with a padding mask, with or without its kernels for nested tensors."""

    def __init__(self, nested: bool = False, **options: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, **options)
        self.into, self.encoder = nn.Linear(8, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        padding = torch.arange(x.shape[1]).expand(x.shape[:2]) >= 2 + (x[:, :1, 0] > 0).long()
        return self.out(self.encoder(self.into(x), src_key_padding_mask=padding)[:, 0])


class Skipping(nn.Module):
    """A mask that is left out where all its entries are the same, as transformers does."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.attention, self.out = nn.Linear(8, 6), Attention(6, 3), nn.Linear(6, 4)
        self.other = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, :, 0] > -9
        mask = None if seen.all() else seen[:, None, None]
        y = self.into(x)
        if mask is not None:
            y = self.other(y)
        return self.out(self.attention(y, mask) + y)


class Cell(nn.Module):
    """One step of a recurrent cell."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.into, self.cell, self.out = nn.Linear(8, 7), kind(7, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.cell(self.into(x))
        return self.out(hidden[0] if isinstance(hidden, tuple) else hidden)


class Shuffle(nn.Module):
    """Channels of two parts are shuffled, as ShuffleNet does: the number of parts is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.one(x))
        x = x.view(len(x), 2, -1, *x.shape[2:]).transpose(1, 2).flatten(1, 2)
        return self.two(x)


PICTURES, VECTORS, WORDS = (2, 3, 8, 8), (2, 8), (2, 4, 8)

NETS: dict[str, tuple[Callable[[], nn.Module], dict[str, int], tuple[int, ...]]] = {
    "language model": (
        lambda: Language(8, norm=True),
        {f"attention.{i}.q": 3 for i in range(2)} | {f"mlp.{i}.0": 10 for i in range(2)},
        WORDS,
    ),
    "language model, fused": (
        lambda: Language(8, norm=True, layers=1, fused=True),
        {"attention.0.qkv": 3, "mlp.0.0": 10},
        WORDS,
    ),
    "language model without norms": (
        lambda: Language(8, norm=False, layers=1, bias=True),
        {"words": 8, "attention.0.q": 3, "mlp.0.0": 10},
        WORDS,
    ),
    "pictures": (Pictures, {"mlp.0": 12}, PICTURES),
    "qkv as a dimension": (Timm, {"qkv": 3}, WORDS),
    "shared keys": (
        lambda: nn.Sequential(nn.Linear(8, 6), Attention(6, 4, shared=2), nn.Linear(6, 4)),
        {"0": 6, "1.q": 2, "1.out": 6},
        WORDS,
    ),
    "padding": (Padded, {f"encoder.layers.{i}.linear1": 12 for i in range(2)}, WORDS),
    "padding, norms first": (
        lambda: Padded(norm_first=True),
        {f"encoder.layers.{i}.linear1": 12 for i in range(2)},
        WORDS,
    ),
    "decoder": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0), nn.Linear(8, 4)),
        {"0.linear1": 12},
        WORDS,
    ),
    "a mask left out": (Skipping, {"into": 6, "attention.q": 3}, WORDS),
    "lstm cell": (lambda: Cell(nn.LSTMCell), {"into": 7, "cell": 6}, VECTORS),
    "gru cell": (lambda: Cell(nn.GRUCell), {"into": 7, "cell": 6}, VECTORS),
    "shuffled": (Shuffle, {"one": 4}, PICTURES),
}
