"""Two studies side by side: by hand, paired and not, and what differs in their recipes."""

from __future__ import annotations

import csv
import dataclasses

import pytest
from rich.console import Console

from secateurs.report import (
    Change,
    Provenance,
    Study,
    changes,
    compare,
    render_comparison,
    show_comparison,
    write_comparison,
)
from secateurs.report.comparison import COLUMNS, cells, pairing
from secateurs.report.words import SPACE


def better(study: Study, by: float, seeds: int = 0) -> Study:
    """The same study with every pruned network better by so much; its seeds counted from ``seeds`` on."""

    def moved(run):
        raised = {k: v + by for k, v in run.summary.items() if k in ("test_accuracy", "validation_accuracy")}
        return dataclasses.replace(run, seed=run.seed + seeds, summary={**run.summary, **raised})

    dense = [dataclasses.replace(run, seed=run.seed + seeds) for run in study.dense]
    return dataclasses.replace(study, title="B", dense=dense, pruned=[moved(run) for run in study.pruned])


def test_paired_by_hand(make_study) -> None:
    study = make_study()
    (pair,) = compare(study, better(study, 0.01)).pairs
    dense, epoch, best, loss, regret = pair.differences
    assert (dense.a, dense.difference, dense.paired, dense.seeds) == (pytest.approx(0.93), 0.0, True, (3, 3))
    assert (epoch.a, epoch.b, epoch.difference, epoch.interval) == (4.0, 4.0, 0.0, (0.0, 0.0))
    assert (best.a, best.b, best.difference) == (pytest.approx(0.91), pytest.approx(0.92), pytest.approx(0.01))
    assert best.interval == (pytest.approx(0.01), pytest.approx(0.01))  # every seed gained as much: paired, no doubt
    assert (loss.unit, loss.difference) == ("points", pytest.approx(-0.01))
    assert (regret.quantity, regret.difference) == ("regret of peak", pytest.approx(0.0))
    assert cells(best) == (f"91.00{SPACE}%", f"92.00{SPACE}%", "+1.00", "+1.00 to +1.00")
    assert "over 3 seeds that both have. With fewer than 5 seeds" in pairing(pair)


def test_other_seeds_are_not_paired(make_study) -> None:
    study = make_study()
    (pair,) = compare(study, better(study, 0.01, seeds=10)).pairs
    best = pair.differences[2]
    assert not best.paired
    assert best.difference == pytest.approx(0.01)
    assert best.interval is not None
    assert best.interval[0] < 0 < best.interval[1]
    assert pairing(pair).startswith("Not paired: 3 seeds against 3 seeds")


def test_common_seeds_only_are_compared(make_study) -> None:
    (pair,) = compare(make_study(seeds=5), make_study(seeds=3)).pairs
    assert [each.difference for each in pair.differences] == [0.0] * 5
    assert all(each.paired and each.seeds == (3, 3) for each in pair.differences)
    assert "Over all its seeds a study may read differently." in pairing(pair)


def test_the_best_epoch_is_uncertain_where_seeds_disagree(make_study) -> None:
    def with_best(epochs: tuple[int, int, int]) -> Study:
        study = make_study()
        runs = [
            dataclasses.replace(
                run, summary={**run.summary, "validation_accuracy": float(run.epoch == epochs[run.seed])}
            )
            for run in study.pruned
        ]
        return dataclasses.replace(study, pruned=runs)

    (pair,) = compare(with_best((4, 4, 4)), with_best((8, 8, 4))).pairs
    epoch = pair.differences[1]
    assert (epoch.a, epoch.b, epoch.difference) == (4.0, 8.0, 4.0)
    assert epoch.interval == (0.0, 4.0)


def test_one_seed_and_missing_results(make_study) -> None:
    one = make_study(seeds=1)
    (pair,) = compare(one, better(one, 0.01)).pairs
    assert [each.interval for each in pair.differences] == [None] * 5
    assert pair.differences[2].difference == pytest.approx(0.01)
    assert pair.differences[4].difference is None
    bare = dataclasses.replace(one, pruned=[dataclasses.replace(run, summary={}) for run in one.pruned])
    (pair,) = compare(bare, one).pairs
    assert [each.difference for each in pair.differences] == [0.0, None, None, None, None]
    assert "Two studies" in render_comparison(compare(bare, one))


def test_settings_are_matched_by_name_then_alone(several: Study, make_study) -> None:
    comparison = compare(several, make_study())
    assert [pair.a.setting for pair in comparison.pairs] == ["net"]
    assert [findings.setting for findings in comparison.only_a] == ["wide <net>"]
    assert comparison.only_b == ()
    other = make_study()
    renamed = dataclasses.replace(
        other,
        dense=[dataclasses.replace(run, setting="new") for run in other.dense],
        pruned=[dataclasses.replace(run, setting="new", density=0.2) for run in other.pruned],
    )
    (pair,) = compare(other, renamed).pairs
    assert (pair.a.setting, pair.b.setting, pair.b.density) == ("net", "new", 0.2)


def test_recipes_differ_in_settings_not_in_writing() -> None:
    a = "train: {lr: 0.1, epochs: 30}\nsignals: [{name: fisher_trace, samples: 512}, {name: loss}]\nmoments: [0, 2]"
    b = "moments:\n- 0\n- 4\nsignals:\n- name: fisher_trace\n  samples: 64\ntrain: {epochs: 30, lr: 0.1, clip: null}"
    assert changes(a, b) == (
        Change("signals[fisher_trace].samples", "512", "64"),
        Change("signals[loss]", "present", None),
        Change("moments", "[0, 2]", "[0, 4]"),
        Change("train.clip", None, "null"),
    )
    assert changes(a, a) == ()
    assert changes("a: [unclosed", "x\ny") == (
        Change("", "a: [unclosed", None),
        Change("", None, "x"),
        Change("", None, "y"),
    )


def test_page_file_and_terminal(several: Study, make_study, tmp_path, capsys) -> None:
    a = dataclasses.replace(several, title="<b>A</b>", provenance=Provenance("lr: <0.1>"), citation="@misc{x}")
    comparison = compare(a, make_study(provenance=Provenance("lr: 0.2")))
    html = render_comparison(comparison)
    assert html == render_comparison(comparison)
    assert "<b>A" not in html
    assert "&lt;0.1&gt;" in html
    assert "wide &lt;net&gt;" in html
    assert "@misc{x}" in html
    written = write_comparison(comparison, tmp_path)
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["quantity"] for row in rows] == [each.quantity for each in comparison.pairs[0].differences]
    assert [path.name for path in (written.page, *written.figures)] == ["compare.html", "compare-1.png"]
    show_comparison(comparison, Console(width=100))
    text = capsys.readouterr().out
    assert "Only in <b>A</b>: wide <net>" in text
    assert "lr: <0.1> → 0.2" in text


def test_two_studies_of_one_title_are_told_apart(make_study) -> None:
    comparison = compare(make_study(), make_study())
    assert comparison.names == ("A study (A)", "A study (B)")
    assert comparison.recipe == ()
    assert compare(make_study(), make_study(), names=("x", "y")).names == ("x", "y")
