"""Targets of channels: the network is the largest that meets them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from loops import train
from test_channels import Wide, wide
from torch import nn

from secateurs.core import PruningError
from secateurs.how import channel_groups, keep_top_channels
from secateurs.pruner import Channels, Flops, Latency, Size, channels
from secateurs.pruner.saved import channel_savings
from secateurs.what import filter_norm


def weights(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("options", [{}, {"scope": "layer", "counted": "channels"}, {"multiple_of": 4}], ids=str)
@pytest.mark.parametrize("target", [Size(mebibytes=0.002), Flops(share=0.2)], ids=str)
def test_the_largest_that_meets_the_target(target: Any, options: dict[str, Any]) -> None:
    run = wide(Channels(target=target, **options), keep_before=True)
    train(run, range(1))
    found = run.pruner.savings()
    allowed = target.allowed(found.multiply_adds_dense if isinstance(target, Flops) else found.bytes_dense)
    assert target.of(found) <= allowed
    assert found.bytes == 4 * weights(run.net)
    dense = Wide()
    dense.load_state_dict(run.pruner.before["model"])
    groups = channel_groups(dense, torch.zeros(2, 1, 6, 6))
    scores = filter_norm(dense, groups=groups)
    times = {"one.weight": 36, "two.weight": 36, "three.weight": 36, "fc.weight": 1}
    met = set()
    for percent in range(2, 100):
        try:
            keep = keep_top_channels(groups, scores, percent / 100, **options)
        except PruningError:
            continue
        if target.of(saved := channel_savings(dense, keep, times)) <= allowed:
            met.add(saved.parameters)
    assert max(met) <= found.parameters
    assert max(met) > 0.8 * found.parameters


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock by which a network takes a millisecond for each weight; the sizes of the batches it was given."""
    sizes = []

    def milliseconds(model: nn.Module, task: Any, batch: Any) -> float:
        sizes.append(len(batch.inputs))
        return float(weights(model))

    monkeypatch.setattr(channels, "forward_milliseconds", milliseconds)
    return sizes


def test_a_latency_is_met_with_the_loop_s_batches(clock: list[int]) -> None:
    run = train(wide(Channels(target=Latency(milliseconds=500))), range(1))
    assert 400 < weights(run.net) <= 500
    assert {*clock} == {12}


def test_a_latency_out_of_reach_or_met_by_the_dense_network_is_refused(clock: list[int]) -> None:
    with pytest.raises(
        PruningError, match=r"cannot be reached: with as few channels as may be it is 36 ms, of the dense"
    ):
        train(wide(Channels(target=Latency(milliseconds=20))), range(1))
    with pytest.raises(PruningError, match=r"of the dense network takes .* there is nothing to prune"):
        train(wide(Channels(target=Latency(milliseconds=1e6))), range(1))


def test_time_is_really_measured() -> None:
    with pytest.raises(PruningError, match=r"cannot be reached: .* it is 0?\.?\d.* ms"):
        train(wide(Channels(target=Latency(milliseconds=1e-6))), range(1))
