"""The figure of when networks become stable and match: its lines, and the sparsity ranges behind them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from drawn_panels import drawn, panels_of
from made_copies import rows, study
from secateurs.report.methods.sheet import sheet
from secateurs.report.tickets import DENSE, find_tickets, matching
from secateurs.report.words import SPACE

ONE = {"names": ((DENSE, 0), ("IMP", 1))}


def test_when_networks_become_stable_and_match() -> None:
    train, test = panels_of(matching.panels)
    lines = drawn(train)
    low = -matching.APART / 2  # the first of two tickets stands a little lower
    assert lines["IMP: stable"] == ([0.5, 0.25], [1.0 + low, math.nan]), "never at 25 %"
    assert lines["IMP: matching"] == ([0.5, 0.25], [1.0 + low, 2.0 + low])
    assert lines["random: stable"][1] == [2.0 - low, math.nan]
    assert drawn(test)["IMP: stable"][1] == [2.0 + low, math.nan]
    (axes, _) = sheet([train, test]).axes
    assert [text.get_text() for text in axes.texts] == ["I", "II"]
    caption = matching.caption(find_tickets(study())[0])
    assert caption.endswith(
        "Shaded: sparsity ranges by the same rule, not by means over seeds: I, where random matches at some k on more "
        "than half of the seeds; II, where only IMP does."
    )
    assert "Shaded as range II: 25 % of weights." in train.alt.replace(SPACE, " ")


def test_lines_of_stable_and_matching_are_told_apart_in_the_legend() -> None:
    (train, _) = panels_of(matching.panels)
    (legend,) = sheet([train]).legends
    dashes = {
        text.get_text(): line.get_linestyle() for text, line in zip(legend.texts, legend.get_lines(), strict=True)
    }
    assert (dashes["IMP: stable"], dashes["IMP: matching"]) == ("-", "--")


def test_ranges_are_shaded_by_the_majority_of_seeds_as_the_lines_are() -> None:
    made = study()

    def worse(run):
        return (run.ticket, run.level, run.seed) == ("random", 1, 2)

    runs = [
        dataclasses.replace(run, summary={**run.summary, "test_accuracy": 0.3}) if worse(run) else run
        for run in made.runs
    ]
    copies = [
        dataclasses.replace(each, rows=rows(0.1, 0.7), summary=each.summary) if worse(each) else each
        for each in made.copies
    ]
    (findings,) = find_tickets(dataclasses.replace(made, runs=runs, copies=copies))
    assert findings.ranges[0] == (0.5, "II"), "random pruning does not match in the mean"
    (axes,) = sheet(list(matching.panels(findings))[:1]).axes
    assert [text.get_text() for text in axes.texts] == ["I", "II"], "it does on two of three seeds"


def test_levels_that_were_not_judged_stay_white() -> None:
    made = study()
    unknown = [
        dataclasses.replace(run, summary={}) if (run.ticket, run.level) == ("random", 2) else run for run in made.runs
    ]
    copies = [each for each in made.copies if (each.ticket, each.level) != ("random", 2)]
    (findings,) = find_tickets(dataclasses.replace(made, runs=unknown, copies=copies))
    (axes,) = sheet(list(matching.panels(findings))[:1]).axes
    assert [text.get_text() for text in axes.texts] == ["I"]
    (span,) = axes.patches
    ends = span.get_corners()[:, 0]
    assert sorted({round(float(end), 4) for end in ends}) == [round(0.125**0.5, 4), round(float(axes.get_xlim()[0]), 4)]


@pytest.mark.parametrize("made", [ONE, {"rewind": ("0ep",)}, {"copies": []}])
def test_of_one_level_or_one_k_nothing_is_drawn_over_levels(made: dict[str, Any]) -> None:
    assert panels_of(matching.panels, **made) == []
