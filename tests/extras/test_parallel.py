"""Two processes that train one network: the same decision and the same mask, whoever trains."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from secateurs.how import Mask

ROOT = Path(__file__).parents[2]


def torchrun(script: Path, *arguments: str) -> str:
    """What the two processes print."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(3):
        done = subprocess.run([*command, str(script), *arguments], env=environment, capture_output=True, text=True)
        # About one process in twenty is aborted by gloo as it ends, when all is done and printed (with no pruner, too).
        if "terminate called without an active exception" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example(elsewhere: Path) -> None:
    told = torchrun(ROOT / "examples" / "ddp_torchrun.py")
    assert re.search(r"pruned at epoch \d+: 2220 of 22200 weights are left \(10.00%\); why: ", told)
    ranks = re.findall(r"rank (\d): mask (\w+), density 0.100, in force: True, test accuracy (\S+)", told)
    assert [rank for rank, *_ in ranks] == ["0", "1"]
    assert ranks[0][1:] == ranks[1][1:]
    assert float(ranks[0][2]) > 0.9


@pytest.fixture(scope="module")
def ended(extra: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("lightning", "transformers", "accelerate"):
        extra(package, package)
    folder = tmp_path_factory.mktemp("parallel")
    torchrun(Path(__file__).parent / "parallel_work.py", str(folder), "resumed")
    return folder


def test_resumed_before_pruning_each_rank_goes_on_with_its_own_examples(ended: Path) -> None:
    for rank in range(2):
        whole, resumed = (load_file(ended / f"{name}-{rank}.safetensors") for name in ("transformers", "resumed"))
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


@pytest.mark.parametrize("name", ["transformers", "resumed", "lightning"])
def test_both_ranks_end_alike(ended: Path, name: str) -> None:
    first, second = (load_file(ended / f"{name}-{rank}.safetensors") for rank in range(2))
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    mask = Mask.from_tensors(first)
    assert mask.density == pytest.approx(0.5, abs=1e-3)
    assert all(torch.equal(first[f"model/{weight}"] != 0, kept) for weight, kept in mask.items())
    told, also_told = (json.loads((ended / f"{name}-{rank}.json").read_text()) for rank in range(2))
    assert told == also_told
