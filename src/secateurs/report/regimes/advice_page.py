"""The files of an advice: one HTML page that needs nothing but itself, its picture, and all numbers as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from secateurs.jobs.files import write_json
from secateurs.report.page import Picture, Written, environment
from secateurs.report.regimes import advice_certainty, advice_remedies, advice_words
from secateurs.report.regimes.advice_findings import AdviceFindings, Verdict, find_advice
from secateurs.report.regimes.advice_rows import AdviceStudy

PAGE, FIGURE, NUMBERS = "report.html", "advice.png", "advice.json"


def render_advice(found: AdviceFindings) -> str:
    """The page as HTML text. Everything shown is escaped; the same advice gives the same text."""
    from secateurs.report.regimes.advice_figure import alt_text, draw_advice  # matplotlib is slow to load

    made = environment()
    made.globals.update(say=advice_words, change=advice_remedies, sure=advice_certainty)
    return made.get_template("advice.html.j2").render(
        study=found.study, found=found, picture=Picture.of(draw_advice(found), alt_text(found))
    )


def write_advice(study: AdviceStudy, folder: Path) -> Written:
    """Write ``report.html``, ``advice.png``, and last of all ``advice.json`` into ``folder``.

    Raises:
        StoreError: when a file cannot be written.
    """
    from secateurs.report.canvas import save
    from secateurs.report.regimes.advice_figure import draw_advice

    folder.mkdir(parents=True, exist_ok=True)
    found = find_advice(study)
    page = folder / PAGE
    page.write_text(render_advice(found), encoding="utf-8")
    figure = save(draw_advice(found), folder / FIGURE)
    write_json(folder / NUMBERS, to_json(found))
    return Written(page, (figure,), (folder / NUMBERS,))


def to_json(found: AdviceFindings) -> dict[str, Any]:
    """All numbers, what was said of them, and where they are from."""
    study, selection = found.study, found.selection
    return {
        "title": study.title,
        "about": study.about,
        "density": study.density,
        "regime": found.chosen.regime,
        "sure": found.chosen.share,
        "advice": [advice_words.headline(found), *advice_words.reasons(found), *advice_remedies.remedies(found)],
        "selection": None if selection is None else {**asdict(selection), "prune": found.chosen.name},
        "networks": [_network(each) for each in found.verdicts],
        "terms": asdict(study.terms),
        "source": study.source,
        "costs": asdict(study.spent),
        "notes": list(study.notes),
        "provenance": asdict(study.provenance),
    }


def _network(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "trained": asdict(verdict.candidate.knobs),
        "dense_validation_error": verdict.error,
        "copies_validation_error": verdict.copies_error,
        "lmc": verdict.lmc,
        "lmc_interval": verdict.lmc_interval,
        "cka": verdict.cka,
        "cka_interval": verdict.cka_interval,
        "cka_undefined": list(verdict.undefined),
        "regime": verdict.regime,
        "shares": dict(verdict.shares),
        "draws": len(verdict.draws),
        "empty_layers": list(verdict.empty_layers),
        "dense_diverged": [cell.seed for cell in verdict.dense_diverged],
        "copies_diverged": verdict.copies_diverged,
        "cells": [
            {
                "seed": cell.seed,
                "dense": dict(cell.dense),
                "mask": dict(cell.mask),
                "copies": [dict(run) for run in cell.runs],
                "pairs": [dict(pair) for pair in cell.probes],
            }
            for cell in verdict.candidate.cells
        ],
    }
