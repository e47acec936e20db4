"""The files of an advice: one HTML page that needs nothing but itself, its picture, and all numbers as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secateurs.jobs.files import write_json
from secateurs.report.advice import certainty, remedies, words
from secateurs.report.advice.findings import AdviceFindings, Verdict, find_advice
from secateurs.report.advice.rows import AdviceStudy
from secateurs.report.page import Picture, Written, environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, FIGURE, NUMBERS = "report.html", "advice.png", "advice.json"


def render_advice(found: AdviceFindings) -> str:
    """The page as HTML text. Everything shown is escaped; the same advice gives the same text."""
    from secateurs.report.advice.figure import draw_advice  # matplotlib is slow to load

    return _rendered(found, draw_advice(found))


def _rendered(found: AdviceFindings, drawn: Figure) -> str:
    from secateurs.report.advice.figure import alt_text

    made = environment()
    made.globals.update(say=words, change=remedies, sure=certainty)
    return made.get_template("advice.html.j2").render(
        study=found.study, found=found, picture=Picture.of(drawn, alt_text(found))
    )


def write_advice(study: AdviceStudy, folder: Path) -> Written:
    """Write ``report.html``, ``advice.png``, and last of all ``advice.json`` into ``folder``.

    Raises:
        StoreError: when a file cannot be written.
    """
    from secateurs.report.advice.figure import draw_advice
    from secateurs.report.canvas import save

    folder.mkdir(parents=True, exist_ok=True)
    found = find_advice(study)
    page, drawn = folder / PAGE, draw_advice(found)
    page.write_text(_rendered(found, drawn), encoding="utf-8")
    figure = save(drawn, folder / FIGURE)
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
        "advice": [words.headline(found), *words.choice(found), *words.reasons(found), *remedies.remedies(found)],
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
