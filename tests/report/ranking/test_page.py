"""The page, its files, tables and what is printed: escaped, complete, the same each time."""

from __future__ import annotations

import csv
import dataclasses
import io

from rich.console import Console

from pages import Reader, plain
from secateurs.report import Provenance, find, show_ranking, write_ranking_report
from secateurs.report.ranking import COLUMNS, render_ranking, sides, summary, tables

EVIL = "<script>alert('x')</script> & $x_1$"


def test_the_page_holds_everything_and_fetches_nothing(make_bench) -> None:
    provenance = Provenance("epochs: 10", "secateurs run x", {"torch": "2.6"}, {"0": "init 0"}, {"dense": "ab12"})
    bench = make_bench(judged=["b"], study={"provenance": provenance, "notes": ["A note."]})
    page = Reader(render_ranking(bench))
    text = plain(page.text)
    for wanted in ("epochs: 10", "secateurs run x", "2.6", "ab12", "A note.", "Settings to judge on", "after the peak"):
        assert wanted in text
    for wanted in ("1. half", "+6.25 (+6.25 to +6.25)", "+25.00: c <i>", "1 never of 3", "+12.50 (1 never)"):
        assert wanted in text
    assert not {"script", "link"} & set(page.tags)
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 2 * 2 + 3  # two panels of regret for each side, a curve for each setting
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert all(len(value) > 20 for name, value in page.attributes if name == "alt")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_everything_shown_is_escaped(make_bench) -> None:
    bench = make_bench()
    study, new = bench.study, f"t {EVIL}"

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == "peak" else name for name in names)

    hostile = dataclasses.replace(
        study,
        title=EVIL,
        dense=[dataclasses.replace(run, setting=f"{run.setting} {EVIL}") for run in study.dense],
        pruned=[
            dataclasses.replace(run, setting=f"{run.setting} {EVIL}", chosen_by=renamed(run.chosen_by))
            for run in study.pruned
        ],
        triggers={new: EVIL, **{name: EVIL for name in study.triggers if name != "peak"}},
        needs={new: ["loss"], "half": [], "end": []},
        notes=[EVIL],
        provenance=Provenance(EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL}, {EVIL: EVIL}),
    )
    html = render_ranking(dataclasses.replace(bench, study=hostile))
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 20


def test_same_study_same_bytes_and_its_files(make_bench, tmp_path) -> None:
    first, second = (write_ranking_report(make_bench(judged=["b"]), tmp_path / name) for name in "ab")
    names = [f"{name}-{side}.{kind}" for side in (1, 2) for name in ("regret", "curves") for kind in ("png", "svg")]
    assert [path.name for path in first.figures] == names
    for one, two in zip((first.page, *first.figures), (second.page, *second.figures), strict=True):
        assert one.read_bytes() == two.read_bytes()
    stems = {path.stem for path in first.tables}
    assert {*COLUMNS, "runs", "triggers", "choices", "signals"} <= stems


def test_tables_have_their_columns_and_every_digit(make_bench, tmp_path) -> None:
    bench = make_bench(judged=["b"], at_bound={("a", 0): ["peak"]})
    ranked = sides(bench)
    for name, rows in tables(ranked).items():
        assert rows, name
        assert all(set(row) == set(COLUMNS[name]) for row in rows), name
    write_ranking_report(bench, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "decisions.csv").read_text())))
    assert len(rows) == 3 * 9  # triggers x runs
    of_peak = {(row["setting"], row["seed"]): (row["how"], row["regret"]) for row in rows if row["trigger"] == "peak"}
    assert of_peak["b", "1"] == ("never", "0.5")
    assert of_peak["a", "0"] == ("bound", "0.0")
    assert of_peak["b", "2"] == ("fired", "-0.125")
    assert [column for columns in COLUMNS.values() for column in columns if "second" in column] == ["seconds_share"] * 2


def test_sentences_say_what_was_found(make_bench) -> None:
    (side,) = sides(make_bench())
    assert [plain(sentence) for sentence in summary(side)] == [
        "“half” has the least regret in this table: +6.25 (+6.25 to +6.25) points of regret over 3 settings; it trains "
        "50 % of the run densely, in the mean. It was picked on these very data, which flatters it.",
        "The regret of “peak” cannot be told from 0.",
        "“peak” never fired on 1 of 9 runs: it is charged the end of the run there.",
        "With fewer than 5 seeds (here 3) an interval within one setting says little.",
        "3 settings only: an interval over settings says little about others.",
    ]


EVEN = dict.fromkeys(range(3), (4.0, 0.75))


def named(bench, name: str):
    """The bench with its trigger "peak" called otherwise."""
    study = bench.study
    return dataclasses.replace(
        bench,
        study=dataclasses.replace(
            study,
            pruned=[
                dataclasses.replace(run, chosen_by=tuple(name if by == "peak" else by for by in run.chosen_by))
                for run in study.pruned
            ],
            triggers={name if each == "peak" else each: text for each, text in study.triggers.items()},
            needs={name if each == "peak" else each: needs for each, needs in study.needs.items()},
        ),
    )


def test_on_judged_settings_the_default_leads_and_nothing_picked_there_is_compared(make_bench) -> None:
    bench = named(make_bench(dict.fromkeys("abc", EVEN), judged=["a", "b"]), "default")
    judged, chosen = sides(bench)
    assert (judged.lead, judged.fixed, chosen.lead, chosen.fixed) == ("default", "half", None, None)
    assert [plain(sentence) for sentence in summary(judged)[:4]] == [
        "“default” has 0.00 (0.00 to 0.00) points of regret over 2 settings: not told from 0; it trains 40 % of the "
        "run densely, in the mean.",
        "The fixed moment that did best on the settings to choose on, by validation accuracy, is “half”. Its regret "
        "minus that of “default”, on the same runs: +6.25 (+6.25 to +6.25) points, so “default” does better.",
        "Of the others “half” and “end” lose more, beyond the interval of the difference. Each is set against it by "
        "itself, without a correction for their number.",
        "“default” has the least regret in this table: 0.00 (0.00 to 0.00) points of regret over 2 settings; it trains "
        "40 % of the run densely, in the mean. It was picked on these very data, which flatters it.",
    ]
    assert plain(summary(chosen)[0]) == (
        "On validation data “default” loses least: 0.00 points of regret on validation data over 1 setting; on test "
        "data 0.00; it trains 40 % of the run densely, in the mean. It was picked on these very data, which flatters "
        "it."
    )
    assert "1 setting only: there is no interval over settings." in summary(chosen)


def test_without_a_default_the_choosing_settings_say_who_leads(make_bench) -> None:
    judged, _ = sides(make_bench(dict.fromkeys("abc", EVEN), judged=["a", "b"]))
    assert judged.lead == "peak"
    said = plain(summary(judged)[0])
    assert said.startswith(
        "“peak”, which did best of those that read a signal on the settings to choose on, has 0.00 (0.00 to 0.00)"
    )
    (alone,) = sides(make_bench({"a": EVEN}, judged=["a"]))
    assert (alone.lead, alone.fixed) == (None, None)
    assert "picked on these very data" in summary(alone)[0]


def test_a_moment_that_moves_is_not_fixed(make_bench) -> None:
    bench = make_bench(judged=["b"])
    study = dataclasses.replace(bench.study, needs={name: [] for name in bench.study.triggers})
    judged, chosen = sides(dataclasses.replace(bench, study=study))
    assert {each.trigger: each.fixed for each in chosen.standings} == {"half": True, "peak": False, "end": True}
    assert (judged.lead, judged.fixed) == (None, "half")


def test_validation_regret_stands_only_where_one_may_choose(make_bench) -> None:
    judged, chosen = render_ranking(make_bench(judged=["b"])).split('id="side-2"')
    assert "Regret on validation data" not in judged
    assert chosen.count('<th scope="col" class="n">Regret on validation data, points') == 2
    assert "must choose nothing" in chosen


def test_sentences_when_nothing_is_told_from_zero(make_bench) -> None:
    even = {setting: {0: (3.0, 0.75), 1: (3.0, 0.625), 2: (3.0, 0.875)} for setting in "ab"}
    bench = make_bench(even, end=False)
    only = dataclasses.replace(
        bench.study,
        triggers={"peak": ""},
        needs={},
        pruned=[run for run in bench.study.pruned if run.chosen_by != ("half",)],
    )
    said = summary(sides(dataclasses.replace(bench, study=only))[0])
    assert "No trigger's regret can be told from 0: every interval contains it." in said


def test_an_unfinished_study_has_a_page(make_bench, tmp_path) -> None:
    bench = make_bench()
    nothing = dataclasses.replace(
        bench.study,
        dense=[dataclasses.replace(run, summary={}, log=[]) for run in bench.study.dense],
        pruned=[dataclasses.replace(run, summary={}) for run in bench.study.pruned if run.chosen_by == ("grid",)],
    )
    written = write_ranking_report(dataclasses.replace(bench, study=nothing), tmp_path)
    assert written.figures == ()
    text = Reader(written.page.read_text(encoding="utf-8")).text
    assert "No trigger has a regret here yet." in text
    assert "what stands here is not the whole study" in text
    assert len(find(nothing)) == 3


def test_what_is_printed(make_bench) -> None:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    show_ranking(make_bench(judged=["b"]), console)
    text = plain(console.file.getvalue())
    assert "Settings to judge on (1 setting)" in text
    assert "Settings to choose on (2 settings)" in text
    assert "+6.25 (+6.25 to +6.25)" in text
    assert "1 never of 3" in text
    assert "charged the end of the run" in text
