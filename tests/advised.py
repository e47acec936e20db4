"""Advice with made-up numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from secateurs.report.advice import AdviceStudy, Candidate, Knobs, Source, Spent
from secateurs.report.regimes.rows import RegimeCellRow, RegimeTerms


def pair(lmc: float, cka: float | None, spread: float = 0.005, draws: int = 200) -> dict[str, Any]:
    chance = np.random.default_rng(0)
    lmcs = [float(chance.normal(lmc, spread)) for _ in range(draws)]
    ckas = [] if cka is None else [min(1.0, float(chance.normal(cka, spread))) for _ in range(draws)]
    undefined = "network 0 has the same output for every example" if cka is None else None
    told = {"lmc": lmc, "cka": cka, "cka_undefined": undefined, "diverged": None, "diverged_copies": []}
    return {**told, "resampled": {"lmc": lmcs, "cka": ckas}}


def cell(
    lmc: float, cka: float | None, *, seed: int = 0, dense: float = 0.05, copies: float = 0.1, spread: float = 0.005
) -> RegimeCellRow:
    run = {"diverged": None, "probe": {"validation_error": copies}}
    state = {"validation_accuracy": 1 - dense, "diverged": None}
    return RegimeCellRow("net", 1, 0.1, 0.1, seed, state, {}, (run, run), (), (pair(lmc, cka, spread),))


def candidate(name: str, *cells: RegimeCellRow, stopped: float | None = 30, rho: float = 0.0) -> Candidate:
    return Candidate(name, Knobs(stopped, 30, 64, 0.1, rho), cells)


def advice(*candidates: Candidate, source: Source = "trained", copies: int = 2) -> AdviceStudy:
    terms = RegimeTerms(copies=copies, retrain_epochs=30, probe_epochs=2, chance=0.1)
    spent = Spent(30, 12.0, 4, 1.5, {"recalibration": 11, "evaluation": 11, "outputs": 2}, 0.5)
    return AdviceStudy("Advice: a net", "a net on digits", 0.1, candidates, terms, spent, source)
