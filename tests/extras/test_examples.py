"""The examples run as they stand, prune, and end with networks that read digits."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [
    # Lightning's own, against torch 2.13: it still asks torch's pytree in the old way.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    # Advice of Lightning's on speed and on loggers, which a small example has no use for.
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*`tensorboardX` has been removed:UserWarning"),
    pytest.mark.usefixtures("elsewhere"),
]


def ended(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The names of the example when it is through; its mask is in force."""
    names = runpy.run_path(str(EXAMPLES / name))
    told = capsys.readouterr().out
    pruner = names["pruner"] if "pruner" in names else names["pruning"].pruner
    assert str(pruner.event) in told
    assert "; why: " in told
    assert "test accuracy" in told
    inside = pruner.model
    for weight, parameter in inside.named_parameters():
        if weight in pruner.mask:
            assert torch.equal(parameter != 0, pruner.mask[weight])
    return names


def test_lightning(extra: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    extra("lightning", "lightning")
    names = ended("lightning_module.py", capsys)
    assert names["pruning"].pruner.mask.kept == 2220
    assert names["result"]["accuracy"] > 0.9


def test_transformers(extra: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    extra("accelerate", "accelerate")
    extra("transformers", "transformers")
    names = ended("transformers_trainer.py", capsys)
    assert names["pruning"].pruner.mask.density == pytest.approx(0.3, abs=1e-4)
    assert names["test_accuracy"] > 0.8


def test_accelerate(extra: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    extra("accelerate", "accelerate")
    names = ended("accelerate_loop.py", capsys)
    assert names["pruner"].mask.kept == 2220
    assert names["accuracy"] > 0.9


def test_cut_in_mid_training(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(EXAMPLES / "cut_mid_training.py"))
    told = capsys.readouterr().out
    assert told.count("since the cut") == 2
    for block in names["transformer"].blocks:
        assert (block.qkv.out_features, block.out.in_features, block.mlp[0].out_features) == (3 * 16 * 2, 16 * 2, 32)
    assert [names["network"][at][0].out_channels for at in (0, 1, 3)] == [4, 8, 16]
    for found in names["results"].values():
        assert min(found["own"], found["averaged"]) > 0.8
