"""The example of a network too large to be trained dense, on a small one."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "large_model.py")


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [EXAMPLE, *arguments])
    runpy.run_path(EXAMPLE)
    return capsys.readouterr().out


def test_it_is_built_scored_cut_and_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(monkeypatch, capsys, "--model", "resnet18", "--pixels", "16", "--micro-batch", "5", "--steps", "10")
    assert float(found.split("% of the parameters are left")[0].split()[-1]) < 2.5
    losses = found.split("loss ")[1].split()
    assert float(losses[3]) < float(losses[0])


def test_the_plan_of_the_largest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(monkeypatch, capsys, "--plan", "--model", "resnext101_32x48d")
    assert "826,376,394 parameters" in found
    assert "3,152 MiB  one gradient" in found
