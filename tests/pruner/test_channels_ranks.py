"""Two processes remove the same channels, go on in a new wrapper, and stay one network."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from channel_ranks_work import CASES, parallel
from loops import network, train
from safetensors.torch import load_file
from test_channels import HALF, shapes, wide
from torch import nn

from secateurs.core import PruningError
from secateurs.pruner.renewing import renewed


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Case -> what each rank ended with: tensors and facts."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(parallel, (str(folder), 2), nprocs=2)
    return {
        name: [
            (load_file(folder / f"{name}-{rank}.safetensors"), json.loads((folder / f"{name}-{rank}.json").read_text()))
            for rank in range(2)
        ]
        for name in CASES
    }


@pytest.mark.parametrize("name", CASES)
def test_all_ranks_cut_the_same_and_train_one_network(name: str, ended: Any) -> None:
    (first, told), (second, also_told) = ended[name]
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    assert int(first["keep/0"].sum()) < 4
    assert first["model/0.weight"].shape[0] == int(first["keep/0"].sum())
    assert told["event"] == also_told["event"]


@pytest.mark.parametrize("name", CASES)
def test_the_wrapper_is_renewed_and_the_old_one_refuses(name: str, ended: Any) -> None:
    for _, told in ended[name]:
        assert told["renewed"]
        assert told["resumed"]
        assert "call pruner.model" in told["old"]
        assert "pass rewrap=, which wraps the bare network anew" in told["without rewrap"]


def test_what_rewrap_gives_is_looked_at() -> None:
    net = network()
    with pytest.raises(PruningError, match="got another network or the old wrapper"):
        renewed(net, lambda bare: network())
    assert renewed(nn.DataParallel(net), nn.DataParallel).module is net


def test_rewrap_is_called_after_the_cut() -> None:
    seen = []

    def rewrap(net: nn.Module) -> nn.Module:
        seen.append(shapes(net))
        return nn.DataParallel(net)

    run = wide(HALF, rewrap=rewrap)
    for epoch in range(2):
        train(run, range(epoch, epoch + 1))
        run.model = run.pruner.model
    assert len(seen) == 1
    assert isinstance(run.model, nn.DataParallel)
