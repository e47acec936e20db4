"""The figures of chapter 4: what is drawn, where, and with which means; and what there is nothing to draw for."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from drawn_panels import Panels, drawn, panels_of, titles
from made_copies import every, rows, study
from secateurs.report.methods.sheet import Panel, sheet
from secateurs.report.tickets import (
    DENSE,
    Copies,
    distances,
    errors,
    find_tickets,
    instability,
    interpolation,
    matching,
    rewinding,
    throughout,
)
from secateurs.report.tickets.looks import PART_LOOKS, looks_of, shades

ALONE = {"names": ((DENSE, 0),)}
ONE = {"names": ((DENSE, 0), ("IMP", 1))}


def bands(panel: Panel) -> list[tuple[float, float]]:
    """How low and how high each band of a panel reaches."""
    (axes,) = sheet([panel]).axes
    heights = [[y for path in band.get_paths() for _, y in path.vertices] for band in axes.collections]
    return [(min(each), max(each)) for each in heights]


def test_errors_between_copies_with_a_line_for_each_k() -> None:
    panels = panels_of(interpolation.panels, **ONE)
    assert titles(panels) == [
        *("dense, train data", "dense, test data"),
        *("IMP, 50 % of weights, train data", "IMP, 50 % of weights, test data"),
    ]
    lines = drawn(panels[0])
    assert list(lines) == ["k = 0", "k = 50", "k = 200"]
    assert lines["k = 0"] == ([0.0, 0.5, 1.0], [6.0, 56.0, 6.0])
    assert lines["k = 50"][1] == [6.0, 6.0 + 100 * 0.61 / 3, 6.0]
    # Nine errors at alpha = 0: three of each seed, 0.05, 0.06 and 0.07; least to most at the ends.
    (ranged,) = panels_of(interpolation.panels, **ALONE, rewind=("0ep",), band="range")
    assert bands(ranged)[0] == pytest.approx((5.0, 57.0))


def test_of_one_k_both_parts_of_the_data_share_a_panel() -> None:
    panels = panels_of(interpolation.panels, **ONE, rewind=("0ep",), chance={"net": 0.5})
    assert titles(panels) == ["dense", "IMP, 50 % of weights"]
    assert drawn(panels[0])["test data"][1] == [11.0, 62.0, 11.0]
    assert drawn(panels[0])["guessing"][1] == [50.0, 50.0]
    assert "guessing" not in drawn(panels_of(interpolation.panels, **ALONE, rewind=("0ep",))[0])


def test_instability_against_k() -> None:
    panels = panels_of(instability.panels)
    assert titles(panels) == [
        *("50 % of weights, train data", "50 % of weights, test data"),
        *("25 % of weights, train data", "25 % of weights, test data"),
    ]
    lines = drawn(panels[0])
    assert list(lines) == ["dense", "IMP", "random", "stable below this"]
    assert lines["dense"] == ([0.0, 1.0, 2.0], [50.0, 61 / 3, 1.0])
    assert lines["IMP"][1] == [40.0, 22 / 3, 0.0]
    assert drawn(panels[1])["IMP"][1] == [41.0, 22 / 3 + 1, 1.0]
    assert lines["stable below this"][1] == [2.0, 2.0]
    (axes, *rest) = sheet(panels).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "50", "200"]
    assert {other.get_ylim() for other in rest} == {axes.get_ylim()}


def test_moments_at_ends_of_epochs_are_told_in_epochs() -> None:
    (axes, _) = sheet(panels_of(instability.panels, **ALONE, rewind=("0ep", "2ep"))).axes
    assert axes.get_xlabel() == "k (epochs)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "2"]


def test_markers_stand_side_by_side_at_the_only_k() -> None:
    lines = drawn(panels_of(instability.panels, rewind=("0ep",))[0])
    places = [lines[name][0][0] for name in ("dense", "IMP", "random")]
    assert places == sorted(set(places))
    assert places[1] == 0


def test_all_steps_again_beside_the_steps_left() -> None:
    again = list(every(3, ("0ep", "50it", "2ep"), [(DENSE, 0)], after="replay"))
    made = study()
    both = dataclasses.replace(made, copies=[*made.copies, *again])
    panels = list(instability.both_ways(find_tickets(both)[0]))
    assert titles(panels) == ["dense, train data", "dense, test data"]
    lines = drawn(panels[0])
    assert lines["the steps left, T - k"][1] == [50.0, 61 / 3, 1.0]
    assert lines["all T steps again"][1] == [50.0, 61 / 3, 1.0]
    assert panels_of(instability.both_ways) == []
    alone = find_tickets(dataclasses.replace(made, copies=again))[0]
    assert list(instability.both_ways(alone)) == []
    assert titles(instability.panels(alone)) == ["train data", "test data"], "what there is is shown"


def test_instability_throughout_training() -> None:
    untils = ("1ep", "5ep", "10ep")
    along = list(every(2, ("0ep", "50it"), [("IMP", 1)], untils=untils))
    panels = panels_of(throughout.panels, throughout=along)
    assert titles(panels) == ["IMP, 50 % of weights, train data", "IMP, 50 % of weights, test data"]
    lines = drawn(panels[0])
    assert lines["k = 0"] == ([100, 500, 1000], [40.0, 40.0, 40.0])
    assert lines["k = 50"][1] == [1.0, 1.0, 1.0]
    said = throughout.caption(find_tickets(study(throughout=along))[0])
    assert "6 pairs of copies of 2 seeds" in said, "each pair once, however often it was compared"


def test_distances_of_copies() -> None:
    panels = panels_of(distances.panels, **ALONE)
    assert titles(panels) == [
        *("L2 distance", "cosine distance", "classified differently, train data", "classified differently, test data"),
        *("L2 distance of losses, train data", "L2 distance of losses, test data"),
    ]
    found = [drawn(panel)["dense"][1] for panel in panels]
    assert found[0] == [16 / 3] * 3, "of pairs (1, 2), (1, 3), (2, 3): 4 plus the first"
    assert found[2] == [7 * 8 / 3] * 3, "seven times the second"
    assert found[4] == [2.0] * 3
    (axes,) = sheet([panels[2]]).axes
    assert axes.get_ylabel() == "examples of 100"


def test_errors_at_the_end_against_k() -> None:
    panels = panels_of(errors.panels)
    assert titles(panels)[:2] == ["50 % of weights, train data", "50 % of weights, test data"]
    lines = drawn(panels[1])
    assert lines["IMP"] == ([0.0, 1.0, 2.0], [14.0, 11.1, 10.0])
    assert lines["dense"][1] == [11.0, 11.0]
    assert drawn(panels[0])["IMP"][1] == [9.0, 6.1, 5.0]
    without = panels_of(errors.panels, copies=[])
    assert drawn(without[1])["IMP"][1] == [14.0, 11.1, 10.0]
    assert panels_of(errors.panels, rewind=("0ep",)) == []


def test_a_ticket_without_k_is_a_line_across() -> None:
    made = study(copies=[])
    runs = [
        dataclasses.replace(run, ticket="LRR", rewind=None, step=None)
        for run in made.runs
        if (run.ticket, run.level, run.step) == ("IMP", 1, 200)
    ]
    tickets = {**made.tickets, "LRR": "trained on"}
    made = dataclasses.replace(made, runs=[*made.runs, *runs], tickets=tickets)
    lines = drawn(list(errors.panels(find_tickets(made)[0]))[1])
    assert lines["LRR (no k)"][1] == [10.0, 10.0]


def test_the_state_at_rewinding() -> None:
    (panel,) = panels_of(rewinding.error_panels)
    lines = drawn(panel)
    assert lines["test data"][1] == [90.0, 77.5, 40.0]
    assert lines["train data"][1] == [85.0, 72.5, 35.0]
    assert lines["test, at the end"][1] == [11.0, 11.0]
    assert panels_of(rewinding.error_panels, rewind=("0ep",)) == []
    assert panels_of(rewinding.error_panels, starts=[]) == []


def test_the_way_gone_and_left() -> None:
    panels = panels_of(rewinding.distance_panels)
    assert titles(panels) == ["dense", "IMP, 50 % of weights", "IMP, 25 % of weights"]
    lines = drawn(panels[0])
    assert lines["initialisation to k"][1] == [0.0, 2.0, 4.0]
    assert lines["k to the end"][1] == [10.0, 10.0, 10.0]
    assert lines["between copies"][1] == [16 / 3] * 3


def test_the_way_gone_stands_at_its_k_where_the_copies_of_one_diverged() -> None:
    made = study(**ALONE)
    summary = {"l2_from_initialisation": 1.0, "l2_to_the_end": [], "diverged": None, "diverged_copies": [1, 2, 3]}
    gone = [dataclasses.replace(each, rows=(), summary=summary) for each in made.copies]
    first = [lost if each.step == 0 else each for each, lost in zip(made.copies, gone, strict=True)]
    (panel,) = rewinding.distance_panels(find_tickets(dataclasses.replace(made, copies=first))[0])
    lines = drawn(panel)
    assert lines["initialisation to k"] == ([0.0, 1.0, 2.0], [1.0, 2.0, 4.0])
    assert lines["between copies"][0] == [1.0, 2.0]
    assert list(rewinding.distance_panels(find_tickets(dataclasses.replace(made, copies=gone))[0])) == []


FIGURES: dict[str, Panels] = {
    "interpolation": interpolation.panels,
    "instability": instability.panels,
    "replayed": instability.both_ways,
    "throughout": throughout.panels,
    "distances": distances.panels,
    "matching": matching.panels,
    "lengths": rewinding.distance_panels,
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_drawn_where_no_copies_were_compared(name: str) -> None:
    assert panels_of(FIGURES[name], copies=[]) == []
    lost = [
        Copies("net", "IMP", 1, 0.5, "0ep", 0, 0, "continue", (), {"diverged": "1ep", "diverged_copies": []}),
        Copies("net", "random", 1, 0.5, "0ep", 0, 0, "continue", (), {}),
    ]
    assert panels_of(FIGURES[name], copies=lost, throughout=lost) == []


def test_of_many_levels_some_have_panels_of_their_own() -> None:
    many = [
        Copies("net", "IMP", level, 0.8**level, "0ep", 0, 0, rows=rows(0.1, 0.2), summary={"diverged": None})
        for level in range(1, 11)
    ]
    made = {"copies": many, "seeds": 1}
    assert titles(panels_of(interpolation.panels, **made)) == [
        f"IMP, {percent} % of weights" for percent in ("80", "41", "21", "10.7")
    ]
    caption = interpolation.caption(find_tickets(study(**made))[0])
    assert caption.endswith("4 of 10 levels; the tables have all.")
    assert len(panels_of(instability.panels, **made)) == 2 * 8
    assert instability.caption(find_tickets(study(**made))[0]).endswith("8 of 10 levels; the tables have all.")


def test_of_many_levels_some_have_panels_of_their_errors() -> None:
    made = study(seeds=1)
    runs = [
        dataclasses.replace(run, ticket="IMP", level=level, density=0.8**level)
        for level in range(1, 11)
        for run in made.runs
        if run.ticket == "random" and run.level == 1
    ]
    (findings,) = find_tickets(dataclasses.replace(made, runs=runs, copies=[]))
    assert titles(errors.panels(findings))[:2] == ["80 % of weights, train data", "80 % of weights, test data"]
    assert len(titles(errors.panels(findings))) == 2 * 8
    assert errors.caption(findings).endswith("8 of 10 levels; the tables have all.")


def test_looks_are_fixed() -> None:
    look = looks_of(study())
    assert list(look) == [DENSE, "IMP", "random"]
    assert len({(each.colour, each.marker) for each in look.values()}) == 3
    assert len({(each.colour, each.marker, str(each.style)) for each in shades(range(10)).values()}) == 10
    neighbours = [str(each.style) for each in shades(range(10)).values()]
    assert all(one != other for one, other in pairwise(neighbours))
    assert PART_LOOKS["train"].style != PART_LOOKS["test"].style


def test_lines_of_moments_differ_in_dashes_and_markers_too() -> None:
    (train, *_) = panels_of(interpolation.panels, **ONE)
    (axes,) = sheet([train]).axes
    assert len({line.get_marker() for line in axes.lines}) == 3
    assert len({line.get_linestyle() for line in axes.lines}) > 1
