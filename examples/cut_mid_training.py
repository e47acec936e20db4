"""Channels cut in mid-training, in plain PyTorch: heads and MLP widths of a transformer, channels of a CNN.

The loop, the optimiser with its moments, the schedule and the averaged weights go on; then each step costs less.
"""

import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

from secateurs.how import channel_groups, cut_in_place, keep_top_channels
from secateurs.what import channel_score
from secateurs.zoo import digits

torch.manual_seed(0)
data = digits()
train_set, test_set = (next(part.batches(len(part))) for part in (data.train, data.test))
loader = DataLoader(TensorDataset(*train_set), batch_size=64, shuffle=True, drop_last=True)


class Block(nn.Module):
    """Attention and an MLP. How many heads there are is read off the tensors, so that heads can go."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * 16 * heads), nn.Linear(16 * heads, width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x):
        q, k, v = (each.unflatten(-1, (-1, 16)).transpose(1, 2) for each in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """Reads a picture row by row, each of its 8 rows a word."""

    def __init__(self, width: int = 64, heads: int = 8, hidden: int = 128) -> None:
        super().__init__()
        self.into, self.places = nn.Linear(8, width), nn.Parameter(torch.randn(8, width) / 10)
        self.blocks = nn.Sequential(*(Block(width, heads, hidden) for _ in range(2)))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.blocks(self.into(x.flatten(1, 2)) + self.places).mean(1))


def layer(read: int, made: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(read, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU())


def cnn() -> nn.Module:
    pool = nn.MaxPool2d(2)
    return nn.Sequential(layer(1, 16), layer(16, 32), pool, layer(32, 64), pool, nn.Flatten(), nn.Linear(256, 10))


def trained(name: str, model: nn.Module, epochs: int = 6, cut_after: int = 2) -> dict[str, float]:
    """Train, cut after some epochs, train on: the fastest step before and after (ms), and the accuracy on test data."""
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * len(loader))
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for epoch in range(epochs):
        if epoch == cut_after:
            start = time.perf_counter()
            groups = channel_groups(model, train_set.inputs[:1])
            scores = channel_score(model, None, (), groups, name="filter_norm")
            keep = keep_top_channels(groups, scores, density=0.25, counted="channels", scope="layer")
            cut_in_place(model, keep, optimizer)
            cut_in_place(average.module, keep)  # the average has its own copy of the network, cut in the same way
            print(f"{name}: cut in {time.perf_counter() - start:.2f} s: {keep}")
        model.train()
        for inputs, targets in loader:
            start = time.perf_counter()
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            seconds[epoch >= cut_after].append(time.perf_counter() - start)
    before, after = (1000 * min(times) for times in seconds.values())
    right = {}
    for which, net in (("own", model), ("averaged", average)):
        with torch.no_grad():
            right[which] = (net.eval()(test_set.inputs).argmax(1) == test_set.targets).float().mean().item()
    print(f"{name}: a step took {before:.1f} ms, and takes {after:.1f} ms since the cut")
    print(f"{name}: test accuracy {right['own']:.3f}, of the averaged weights {right['averaged']:.3f}")
    return {"before": before, "after": after, **right}


transformer, network = Transformer(), cnn()
results = {"transformer": trained("transformer", transformer), "cnn": trained("cnn", network)}
