"""The tables of P1 and P3, regenerated at the scale of a smoke test: every method of every setting has a result."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secateurs.studies import load_recipe


@pytest.mark.skipif("SECATEURS_REQUIRE_EXTRAS" not in os.environ, reason="a minute of training, for CI")
@pytest.mark.parametrize("name", ["p1/table1", "p3/table1", "p3/table2"])
def test_a_table(name: str, tmp_path: Path) -> None:
    out = tmp_path / "study"
    command = [sys.executable, "-m", "secateurs.cli", "run", name, "--scale", "smoke", "--out", out, "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (out / "tables" / "runs.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] != "dense"]
    recipe = load_recipe(name, scale="smoke")
    expected = {
        (method, str(seed)) for each in recipe.each().values() for method in each.methods for seed in each.seeds
    }
    assert {(row["method"], row["seed"]) for row in rows} == expected
    assert all(float(row["test_accuracy"]) > 0 for row in rows)
    assert (out / "report.html").exists()
