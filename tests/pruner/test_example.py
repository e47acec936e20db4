"""The example runs, prunes, and what it ends with is still a network that reads digits."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_pytorch.py"


def test_the_plain_example_prunes_and_still_reads_digits(capsys: pytest.CaptureFixture[str]) -> None:
    with torch.random.fork_rng(devices=()):
        ended = runpy.run_path(str(EXAMPLE))
    told = capsys.readouterr().out
    assert ended["pruner"].pruned
    assert re.search(r"pruned at epoch \d+: 5020 of 50200 weights are left", told)
    assert ended["accuracy"] > 0.9
    assert "; why: " in told
    assert "saves no time" in told
