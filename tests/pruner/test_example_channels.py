"""The example removes channels, and what it ends with still reads digits and is smaller."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "channels.py"


def test_the_example_goes_on_with_a_smaller_network_that_reads_digits(capsys: pytest.CaptureFixture[str]) -> None:
    with torch.random.fork_rng(devices=()):
        ended = runpy.run_path(str(EXAMPLE))
    told = capsys.readouterr().out
    saved = ended["pruner"].savings()
    assert saved.density <= 0.2
    assert saved.parameters == sum(p.numel() for p in ended["model"].parameters())
    assert re.search(r"pruned at epoch \d+: \d+ of 80 channels", told)
    assert ended["accuracy"] > 0.9
    assert "a step took" in told
    assert "multiply-adds for an example" in told
