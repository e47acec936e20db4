"""Structured beside unstructured methods, triggers, rounds, costs and curves: against numbers worked out by hand."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from pages import Reader, plain
from secateurs.report import MethodRun, MethodStudy, ReportedResult, find_methods, show_methods, write_methods_report
from secateurs.report.methods import NeverFired, cheapest, orders, render_methods, summary, tables, words
from secateurs.report.methods.accuracy import against_moment, against_sparsity
from secateurs.report.methods.across import across
from secateurs.report.methods.costed import costs_at, time_ratio
from secateurs.report.methods.courses import course
from secateurs.report.methods.layers import by_channel, by_unit
from secateurs.report.methods.learning import over_epochs
from secateurs.report.methods.sheet import sheet
from secateurs.report.words import NOTHING

MakeMixed = Callable[..., MethodStudy]

UNITS = {"stem": [3, 4], "block": [1, 4]}
RATIO = {"random": 1.0, "snip": 1.5, "snip shuffled": 1.5, "synflow": 0.5}
EVIL = "<script>alert('x')</script> & $x_1$"


def costs(seconds: float, **more: Any) -> dict[str, Any]:
    return {"seconds": seconds, "weight_sparsity": 0.8, "node_sparsity": 0.5, "bytes_peak": 1000.0 * seconds, **more}


def rows(seed: int, first: int = 1) -> list[dict[str, Any]]:
    """Accuracies that differ by a tenth from seed to seed."""
    accuracies = {epoch: epoch / 10 + seed / 10 for epoch in range(first, 4)}
    return [{"epoch": e, "train_accuracy": a, "validation_accuracy": a - 0.05} for e, a in accuracies.items()]


@pytest.fixture
def make_mixed(make_methods) -> MakeMixed:
    """Synflow becomes a method that removes channels when a trigger fires: at epoch 4, 5, 6 on seeds 0, 1, 2."""

    def changed(run: MethodRun) -> MethodRun:
        more: dict[str, Any] = {"costs": costs(100 * RATIO[run.method]) if run.summary else {}, "rows": rows(run.seed)}
        if run.method == "synflow":
            facts = {"units": UNITS, "node_density": 0.5}
            mask, found = {**run.mask, **facts}, {**run.summary, **facts} if run.summary else {}
            more |= {"mask": mask, "summary": found, "how": "channels"}
            more |= {"moment": "early_crop", "epoch": 4.0 + run.seed, "epochs_after": 6.0 - run.seed}
        return dataclasses.replace(run, **more)

    def make(**more: Any) -> MethodStudy:
        fields = {"pinned": ["synflow"], "triggered": {"synflow": "when it settles"}, **more}
        study = make_methods(**fields)
        dense = [
            dataclasses.replace(run, summary={**run.summary, "costs": costs(100.0, weight_sparsity=0.0)})
            for run in study.dense
        ]
        once = {(run.setting, run.method, run.density, run.seed): changed(run) for run in study.runs}
        runs = [changed(run) for run in study.runs if run.method != "synflow"]
        runs += [run for run in once.values() if run.method == "synflow"]
        gone = {(*each.of, each.seed) for each in study.never}
        runs = [run for run in runs if (run.setting, run.method, run.density, run.seed) not in gone]
        return dataclasses.replace(study, dense=dense, runs=runs)

    return make


def test_a_trigger_s_cells_are_one_over_seeds(make_mixed) -> None:
    (findings,) = find_methods(make_mixed())
    (group,) = findings.groups
    cell = group.cell("synflow", 0.2)
    assert (cell.test.n, cell.epoch, cell.epochs) == (3, 5.0, (4.0, 6.0))
    assert cell.at == "epoch 5 (4 to 6)"
    assert (group.beside, group.triggered, group.named("synflow")) == ((), ("synflow",), "synflow")
    assert words.when(cell) == "when its trigger fires, epoch 5 (4 to 6)"
    assert words.pruned_when(group) == "at initialisation or by a trigger"
    assert len(findings.all_cells) == 4 * 3


def test_where_triggers_decide_for_all_they_are_one_group(make_mixed) -> None:
    study = make_mixed()
    study = dataclasses.replace(study, runs=[run for run in study.runs if run.method == "synflow"])
    (group,) = find_methods(study)[0].groups
    assert (group.moment, words.when(group), group.methods) == ("", "when its trigger fires", ("synflow",))
    assert "Pruned when its trigger fires" in plain(" ".join(summary(find_methods(study)[0])))


def test_a_moment_of_its_own_need_not_make_a_benchmark(make_methods) -> None:
    study = make_methods(pinned=["synflow"], competing=["synflow"])
    runs = [dataclasses.replace(run, moment="2ep", epoch=2.0) if run.method == "synflow" else run for run in study.runs]
    (findings,) = find_methods(dataclasses.replace(study, runs=runs))
    (group,) = findings.groups
    assert (group.beside, group.named("synflow")) == ((), "synflow")
    assert orders(findings, group, pinned=False)[1].methods == ("snip", "synflow", "random")
    said = plain(" ".join(summary(findings)))
    assert "too narrow. snip does best everywhere" in said, "when is told where there are several moments"
    assert "against the best of the others" not in said


def test_structured_and_unstructured_are_compared_among_themselves(make_mixed) -> None:
    (findings,) = find_methods(make_mixed())
    structured, unstructured = findings.kinds
    assert (structured.kind, structured.methods) == ("structured", ("synflow",))
    assert (unstructured.kind, unstructured.methods) == ("unstructured", ("random", "snip", "snip shuffled"))
    assert orders(unstructured, unstructured.groups[0])[1].methods == ("snip", "random")
    said = plain(" ".join(summary(findings)))
    assert "Unstructured, pruned at initialisation: snip does best everywhere" in said
    assert "Structured, pruned when its trigger fires: synflow goes farthest" in said
    assert "Channels emptied at 90 % sparsity" not in said  # nothing is said of channels that were to go


def test_their_panels_have_one_height(make_mixed) -> None:
    (findings,) = find_methods(make_mixed())
    panels = list(against_sparsity(findings))
    assert [panel.title for panel in panels] == ["structured", "unstructured"]
    first, second = sheet(panels).axes
    assert first.get_ylim() == second.get_ylim()
    assert {line.get_label() for line in first.lines} == {"dense", "synflow"}
    assert panels[0].alt.startswith("Structured: line chart")


def test_a_trigger_that_never_fired_is_told_and_wins_nothing(make_mixed) -> None:
    study = make_mixed(never=[NeverFired("net", "synflow", 0.2, 2)])
    (findings,) = find_methods(study)
    cell = findings.groups[0].cell("synflow", 0.2)
    assert (cell.never, cell.whole, cell.test.n) == ((2,), False, 2)
    assert words.lost(cell) == "1 never pruned"
    said = [plain(each) for each in summary(findings)]
    assert "The trigger of synflow never fired, so that nothing was pruned: at 80 % on seed 2." in said


def test_a_trigger_without_a_dense_run_to_fire_in_is_a_divergence(make_mixed) -> None:
    study = make_mixed(never=[NeverFired("net", "synflow", 0.2, 2, "3ep")])
    (findings,) = find_methods(study)
    cell = findings.groups[0].cell("synflow", 0.2)
    assert (cell.never, cell.diverged, cell.whole, cell.within(1.0)) == ((), (2,), False, False)
    assert words.lost(cell) == "1 diverged"
    said = [plain(each) for each in summary(findings)]
    assert not any("never fired" in each for each in said)
    told = "synflow, 80 % sparsity, seed 2, before its trigger was asked, after epoch 3"
    assert f"1 run diverged and took no part in any mean: {told}." in said


def test_costs_in_the_layout_of_p1(make_mixed) -> None:
    reported = [ReportedResult("net", "A", None, None, 0.95), ReportedResult("net", "A", "snip", 0.2, 0.9)]
    (findings,) = find_methods(make_mixed(reported=reported, changed={("snip", 0.2, 1): {"diverged": "2ep"}}))
    (at,) = [each for each in costs_at(findings) if each.density == 0.2]
    assert [(line.name, line.kind) for line in at.table.lines] == [
        *(("dense", ""), ("synflow", "structured"), ("random", "unstructured")),
        *(("snip (1 diverged)", "unstructured"), ("snip shuffled", "unstructured")),
    ]
    assert at.table.heads[1] == "A, %"
    assert not any(cell.mark for line in at.table.lines if line.name.startswith("snip (") for cell in line.cells)
    assert [line.cells[1].text for line in at.table.lines] == ["95.0", NOTHING, NOTHING, "90.0", NOTHING]
    assert at.against == "memory"
    assert time_ratio(findings, findings.groups[0].cell("synflow", 0.2)).mean == pytest.approx(0.5)
    said = [plain(each) for each in summary(findings)]
    assert (
        "Time from start to end at 90 % sparsity, dense training being 1: structured 0.50 (synflow); "
        "unstructured 1.00 (random) to 1.50 (snip shuffled). This is time on the clock of a machine that may have "
        "done other things meanwhile."
    ) in said


def test_where_costs_are_not_known_nothing_is_said_of_them(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    assert list(costs_at(findings)) == []
    assert time_ratio(findings, findings.all_cells[0]) is None
    assert "Costs at" not in Reader(render_methods(findings.study)).text


def test_curves_are_means_and_ranges_without_what_diverged(make_mixed) -> None:
    study = make_mixed(changed={("snip", 0.2, 2): {"diverged": "2ep"}})
    (findings,) = find_methods(study)
    found = course(findings.groups[0].cell("snip", 0.2), "train")
    assert found.epochs == (1.0, 2.0, 3.0)
    assert found.means == pytest.approx((0.15, 0.25, 0.35))
    assert (found.lows[0], found.highs[0]) == pytest.approx((0.1, 0.2))
    panels = list(over_epochs(findings))
    assert [plain(panel.title) for panel in panels][:2] == [
        "structured, 50 % sparsity, training",
        "structured, 50 % sparsity, validation",
    ]
    (axes,) = sheet(panels[1:2]).axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx([15, 25, 35])


def test_only_epochs_that_all_seeds_have_are_drawn(make_mixed) -> None:
    study = make_mixed()
    runs = [dataclasses.replace(run, rows=rows(run.seed, first=run.seed + 1)) for run in study.runs]
    (findings,) = find_methods(dataclasses.replace(study, runs=runs))
    assert course(findings.groups[0].cell("snip", 0.2), "validation").epochs == (3.0,)


def test_channels_removed_by_group(make_mixed) -> None:
    (findings,) = find_methods(make_mixed())
    panels = list(by_unit(findings))
    assert len(panels) == 1  # at the highest matching sparsity
    (axes,) = sheet(panels).axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx([25, 75])
    assert axes.get_ylabel() == "channels removed (%)"
    assert all("synflow" not in panel.alt for panel in by_channel(findings))


def test_rounds_say_when_they_are_and_what_is_left_between(make_methods) -> None:
    study = make_methods()
    stages = ((1.0, 0.6), (2.0, 0.2))
    runs = [dataclasses.replace(run, stages=stages) for run in study.runs if run.density == 0.2]
    (findings,) = find_methods(dataclasses.replace(study, runs=runs))
    cell = findings.groups[0].cell("snip", 0.2)
    assert (cell.at, words.when(findings.groups[0])) == ("epochs 1 to 2", "in rounds, epochs 1 to 2")
    (curve,) = [each for each in cheapest(findings) if each.method == "snip"]
    assert curve.area == pytest.approx(1 + 0.6 + 8 * 0.2)
    assert (curve.end, curve.retroactive) == (10.0, False)


def test_training_to_find_a_mask_counts_where_it_was_found_later(make_methods) -> None:
    study = make_methods()
    runs = [dataclasses.replace(run, scored_epoch=10.0, costs={"density_area": 17.0}) for run in study.runs]
    (findings,) = find_methods(dataclasses.replace(study, runs=runs))
    assert {curve.whole for curve in cheapest(findings)} == {17.0}
    assert all(curve.retroactive for curve in cheapest(findings))


def two_settings(study: MethodStudy) -> MethodStudy:
    more = [dataclasses.replace(run, setting="wide", density=run.density) for run in study.runs]
    dense = [dataclasses.replace(run, setting="wide") for run in study.dense]
    return dataclasses.replace(study, dense=[*study.dense, *dense], runs=[*study.runs, *more])


def test_all_settings_beside_each_other(make_methods) -> None:
    study = two_settings(make_methods())
    assert across(find_methods(make_methods())) == ()
    tables_of = across(find_methods(study))
    assert [table.sparsity for table in tables_of] == ["50", "80", "90"]
    table = tables_of[1]
    assert table.methods == ("random", "snip", "synflow")
    assert [row.setting for row in table.rows] == ["net", "wide"]
    assert table.rows[0].accuracies == (("90.0 ± 0.0", ""), ("93.0 ± 0.2", "best"), ("92.1 ± 0.1", "second"))
    assert [plain(text) for text, _ in table.rows[0].changes] == ["-3.20", "-0.20", "-1.10"]
    own = {"net": 0.2, "wide": 0.1}
    one = dataclasses.replace(study, runs=[run for run in study.runs if run.density == own[run.setting]])
    (table,) = across(find_methods(one))
    assert (table.sparsity, [row.sparsity for row in table.rows]) == ("", ["80", "90"])


def test_a_mean_over_fewer_seeds_is_no_best(make_methods) -> None:
    study = two_settings(make_methods(changed={("snip", 0.2, 0): {}}))
    row = across(find_methods(study))[1].rows[0]
    assert [mark for _, mark in row.accuracies] == ["", "", "best"]


def test_where_a_trigger_fired_stands_beside_the_grid(make_mixed) -> None:
    study = make_mixed(moments={"0ep": 0.0, "2ep": 2.0})
    log = [{"epoch": epoch, "weight_change": 1 / (1 + epoch)} for epoch in range(3)]
    dense = [dataclasses.replace(run, log=log) for run in study.dense]
    (findings,) = find_methods(dataclasses.replace(study, dense=dense))
    panel = next(iter(against_moment(findings)))
    axes, signal = sheet([panel]).axes
    star = next(line for line in axes.lines if line.get_marker() == "*")
    assert list(star.get_xdata()) == [5.0]
    assert list(signal.lines[0].get_ydata()) == pytest.approx([1, 1 / 2, 1 / 3])


def at_one_density(study: MethodStudy) -> MethodStudy:
    return dataclasses.replace(study, runs=[run for run in study.runs if run.density == 0.2])


def test_the_page_and_its_tables_hold_all_of_it(make_mixed, tmp_path) -> None:
    study = at_one_density(make_mixed())
    written = write_methods_report(study, tmp_path)
    page = Reader(written.page.read_text(encoding="utf-8"))
    for wanted in ("Costs at 80 % sparsity", "Accuracy during training", "Channels removed by group"):
        assert wanted in plain(page.text)
    assert {"strong", "u"} & set(page.tags)
    assert {"units", "learning", "trade-off"} <= {path.stem for path in written.figures}
    texts = {path.stem: path.read_text(encoding="utf-8") for path in written.tables}
    kept = {name: list(csv.DictReader(io.StringIO(texts[name]))) for name in ("costs", "accuracy")}
    assert {row["seconds"] for row in kept["costs"] if row["method"] == "synflow"} == {"50.0"}
    (row,) = [row for row in kept["accuracy"] if row["method"] == "synflow"]
    assert (row["first_epoch"], row["last_epoch"], row["how"]) == ("4.0", "6.0", "channels")
    found = tables(study, find_methods(study))
    assert {(each["group"], each["removed_mean"]) for each in found["units"]} == {("stem", 0.25), ("block", 0.75)}
    assert found["learning"][0]["part"] == "train"


def test_the_page_escapes_all_of_it(make_mixed) -> None:
    study = make_mixed(reported=[ReportedResult("net", EVIL, "snip", 0.2, 0.9)])
    new = {name: f"{name} {EVIL}" for name in study.methods}
    units = {EVIL: [1, 2]}
    study = dataclasses.replace(
        study,
        runs=[
            dataclasses.replace(run, method=new[run.method], mask={**run.mask, "units": units}, moment=EVIL)
            for run in study.runs
        ],
        methods=dict.fromkeys(new.values(), EVIL),
        base={},
        random=[],
        change={},
        pinned=[new["synflow"]],
        triggered={new["synflow"]: EVIL},
        never=[NeverFired("net", new["synflow"], 0.2, 9)],
        reported=[dataclasses.replace(each, method=new["snip"]) for each in study.reported],
    )
    html = render_methods(two_settings(at_one_density(study)))
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert "All settings" in page.text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_a_terminal_has_sparsities_and_times(make_mixed) -> None:
    console = Console(file=io.StringIO(), width=150, color_system=None)
    show_methods(make_mixed(), console)
    text = plain(console.file.getvalue())
    (line,) = [line for line in text.splitlines() if line.strip().startswith("synflow")]
    assert " ".join(line.split()) == "synflow 50 % 50.0 % 93.2 ± 0.2 % 0.00 (0.00 to 0.00) 0.50 3"
    assert "unstructured, 80 % sparsity: snip 93.0 > random 90.0" in text
