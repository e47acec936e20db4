"""The page, its files, tables and what is printed: escaped, complete, the same each time."""

from __future__ import annotations

import csv
import dataclasses
import io
import subprocess
import sys

import pytest
from rich.console import Console

from pages import Reader, plain
from secateurs.report import Provenance, ReportedResult, find_methods, show_methods, write_methods_report
from secateurs.report.methods import COLUMNS, render_methods, replications, summary, tables
from secateurs.report.words import SPACE

EVIL = "<script>alert('x')</script> & $x_1$"


REPORTED = (
    ReportedResult("net", "A et al.", None, None, 0.917),
    ReportedResult("net", "A et al.", "snip", 0.2, 0.920),
    ReportedResult("net", "B et al.", "snip", 0.1, 0.875),
    ReportedResult("net", "C et al.", None, None, 0.940),
)


def test_the_page_holds_everything_and_fetches_nothing(make_methods) -> None:
    provenance = Provenance("epochs: 10", "secateurs run x", {"torch": "2.6"}, {"0": "init 0"}, {"dense": "ab12"})
    study = make_methods(
        provenance=provenance, citation="@phdthesis{x}", notes=["A note."], figure="P2, figure 5-4", reported=REPORTED
    )
    page = Reader(render_methods(study))
    for wanted in ("epochs: 10", "secateurs run x", "2.6", "ab12", "@phdthesis{x}", "A note.", "P2, figure 5-4"):
        assert wanted in page.text
    for wanted in ("snip does best everywhere", "matching (within 0.2 points of dense) up to", "A et al.: snip"):
        assert wanted in page.text
    for wanted in ("91.7", "92.0 (+0.3)", "93.0 ± 0.2 (-0.2)", "87.5", "C et al.: dense networks"):
        assert wanted in plain(page.text)
    assert not {"script", "link"} & set(page.tags)
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 5  # accuracy, a method and its change, remaining weights, layers, channels
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert all(len(value) > 20 for name, value in page.attributes if name == "alt")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_everything_shown_is_escaped(make_methods) -> None:
    study = make_methods()
    new = {name: f"{name} {EVIL}" for name in study.methods}
    hostile = dataclasses.replace(
        study,
        title=EVIL,
        dense=[dataclasses.replace(run, setting=EVIL) for run in study.dense],
        runs=[dataclasses.replace(run, setting=EVIL, method=new[run.method]) for run in study.runs],
        methods=dict.fromkeys(new.values(), EVIL),
        base={new["snip shuffled"]: new["snip"]},
        change={new["snip shuffled"]: EVIL},
        random=[new["random"]],
        reported=[dataclasses.replace(each, setting=EVIL, source=EVIL, method=None) for each in REPORTED[:1]],
        notes=[EVIL],
        citation=EVIL,
        provenance=Provenance(EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL}, {EVIL: EVIL}),
    )
    html = render_methods(hostile)
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 20


def test_same_study_same_bytes(make_methods, tmp_path) -> None:
    first, second = (write_methods_report(make_methods(), tmp_path / name) for name in "ab")
    for one, two in zip((first.page, *first.figures), (second.page, *second.figures), strict=True):
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()


def test_files_of_a_report(make_methods, tmp_path) -> None:
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0})
    written = write_methods_report(study, tmp_path / "out")
    names = ["accuracy", "changes", "moments", "moments-changes", "remaining", "layers", "channels"]
    assert [path.name for path in written.figures] == [f"{name}.png" for name in names]
    assert sorted(path.stem for path in written.tables) == sorted(COLUMNS)
    both = [dataclasses.replace(run, setting="other") for run in study.dense]
    two = dataclasses.replace(study, dense=[*study.dense, *both])
    assert write_methods_report(two, tmp_path / "two").figures[0].name == "accuracy-1.png"


def test_tables_have_their_columns_and_every_digit(make_methods, tmp_path) -> None:
    study = make_methods(reported=REPORTED)
    found = find_methods(study)
    for name, rows in tables(study, found).items():
        assert rows or name in {"costs", "units", "learning"}, name
        assert all(set(row) == set(COLUMNS[name]) for row in rows), name
    write_methods_report(study, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "runs.csv").read_text())))
    assert len(rows) == len(study.dense) + len(study.runs)
    assert float(rows[3]["test_accuracy"]) == study.runs[0].summary["test_accuracy"]
    timed = [column for columns in COLUMNS.values() for column in columns if "second" in column]
    assert {"seconds", "seconds_scoring"} <= set(timed)
    assert all(column.startswith("seconds") for column in timed)


def test_replication_tables_say_what_there_is(make_methods) -> None:
    gone = {("snip", 0.1, seed): {"diverged": "1ep"} for seed in range(3)}
    study = make_methods(reported=REPORTED, changed=gone)
    first, second, third = replications(study, find_methods(study))
    assert (first.source, first.method) == ("A et al.", "snip")
    (line,) = first.lines
    assert (line.dense_reported, line.reported_difference) == pytest.approx((0.917, 0.003))
    assert line.cell.difference.mean == pytest.approx(-0.002)
    assert (second.lines[0].here, second.lines[0].reported_difference) == ("diverged", None)
    assert (third.source, third.method, third.lines[0].dense_reported) == ("C et al.", None, 0.940)
    assert "diverged" in Reader(render_methods(study)).text


def test_sentences_say_what_was_found(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    said = [plain(sentence) for sentence in summary(findings)]
    assert said == [
        "With fewer than 5 seeds (here 3) the intervals say little: they come out too narrow.",
        "Pruned at initialisation: snip does best everywhere; "
        "the best is told apart from the second at 50 and 80 % only.",
        "Pruned at initialisation: snip goes farthest, matching (within 0.2 points of dense) up to 80 %; "
        "up to 50 % random pruning matches, too, so that is trivial.",
        "The dense networks reach 93.2 ± 0.2 % on the test set (3 seeds).",
        "snip shuffled against snip: not told apart at 50 % (+0.03 points); worse at 80 % (-1.00 points); "
        "better at 90 % (+1.00 points).",
        "Channels emptied at 80 % sparsity, pruned at initialisation: synflow 30.0 %, snip 5.0 % and "
        "snip shuffled 1.0 %; none by the others.",
    ]


def test_sentences_of_one_sparsity_at_many_moments(make_methods) -> None:
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0})
    (findings,) = find_methods(dataclasses.replace(study, runs=[run for run in study.runs if run.density == 0.2]))
    said = [plain(sentence) for sentence in summary(findings)]
    assert said[1:3] == [
        "At 80 % sparsity: snip does best everywhere; the best is told apart from the second everywhere.",
        "Matching (within 0.2 points of dense) at 80 % sparsity: snip first at initialisation.",
    ]
    assert "snip shuffled against snip: worse everywhere (-1.00 points)." in said


def test_sentences_of_one_seed_and_of_lost_runs(make_methods) -> None:
    lost = {("snip", 0.2, 0): {"diverged": "3ep"}, ("random", 0.1, 0): {}}
    text = " ".join(summary(find_methods(make_methods(seeds=1, changed=lost))[0])).replace(SPACE, " ")
    for wanted in (
        "with one seed in common, nothing is told apart",
        "on one seed, which tells nothing apart, everywhere",
        "1 run diverged and took no part in any mean: snip, 80 % sparsity, at initialisation, seed 0, after epoch 3.",
        "1 run without a result: random, 90 % sparsity, at initialisation, seed 0.",
        "Only 1 seed: nothing is told apart, and neither deviations nor intervals can be trusted.",
        "Pruned at initialisation: on one seed, random, snip, snip shuffled and synflow go farthest",
    ):
        assert wanted in text


def test_sentences_of_two_seeds_claim_nothing(make_methods) -> None:
    study = make_methods(seeds=2)
    said = [plain(sentence) for sentence in summary(find_methods(study)[0])]
    assert said[0].startswith("Only 2 seeds: nothing is told apart")
    assert said[1] == (
        "Pruned at initialisation: snip does best at 50 and 80 % and synflow does best at 90 %; "
        "with two seeds in common, nothing is told apart."
    )
    assert said[2].startswith("Pruned at initialisation: on two seeds, snip goes farthest")
    (shuffled,) = [each for each in said if each.startswith("snip shuffled against snip")]
    assert shuffled.startswith("snip shuffled against snip: on two seeds, which tell nothing apart, everywhere (")
    assert not any(word in " ".join(said) for word in ("worse", "better"))
    console = Console(file=io.StringIO(), width=100, color_system=None)
    show_methods(study, console)
    assert "80 % sparsity: snip 92.9, synflow 92.1, random 90.0" in plain(console.file.getvalue())


@pytest.mark.parametrize(
    ("chance", "said"),
    [(0.9, "93.2 against 90 %"), (0.1, None), (None, None), (0.88, None)],
)
def test_dense_networks_at_chance_tell_nothing(make_methods, chance, said) -> None:
    study = make_methods(chance={} if chance is None else {"net": chance})
    (findings,) = find_methods(study)
    text = plain(" ".join(summary(findings)))
    assert findings.at_chance == (said is not None)
    for claim in ("does best", "goes farthest", "snip shuffled against snip"):
        assert (claim in text) == (said is None)
    if said is not None:
        wanted = (
            f"The dense networks are hardly better than chance ({said}): no accuracy here says anything about pruning."
        )
        assert text.startswith(wanted)
        assert "Channels emptied" in text


def test_of_many_classes_half_of_chance_is_enough(make_methods) -> None:
    study = make_methods(chance={"net": 0.1})
    poor = [dataclasses.replace(run, summary={"test_accuracy": 0.112}) for run in study.dense]
    assert find_methods(dataclasses.replace(study, dense=poor))[0].at_chance
    fair = [dataclasses.replace(run, summary={"test_accuracy": 0.16}) for run in study.dense]
    assert not find_methods(dataclasses.replace(study, dense=fair))[0].at_chance


def test_methods_with_a_moment_of_their_own_stand_under_no_other(make_methods) -> None:
    study = make_methods(pinned=["synflow"])
    late = [
        dataclasses.replace(run, moment="10ep", epoch=10.0) if run.method == "synflow" else run for run in study.runs
    ]
    study = dataclasses.replace(study, runs=late)
    said = [plain(sentence) for sentence in summary(find_methods(study)[0])]
    assert not any("synflow" in each and each.startswith("Pruned at initialisation") for each in said)
    assert "Beside them, at a moment of their own: synflow (at epoch 10) matches up to 50 %." in said
    assert (
        "Channels emptied at 80 % sparsity, pruned at initialisation: snip 5.0 % and snip shuffled 1.0 %; "
        "none by the others; beside them, synflow (at epoch 10) 30.0 %."
    ) in said
    title = "pruned at initialisation, and methods with a moment of their own"
    assert title not in Reader(render_methods(study)).text, "with one moment no heading repeats it"
    console = Console(file=io.StringIO(), width=100, color_system=None)
    show_methods(study, console)
    assert title in console.file.getvalue()


def test_a_scale_that_is_not_the_papers_is_named(make_methods) -> None:
    said = "At scale smoke: the same jobs on another cut of network, data or epochs."
    assert said in Reader(render_methods(make_methods(figure="P2, figure 5-4", scale="smoke"))).text
    assert "At scale" not in Reader(render_methods(make_methods(figure="P2, figure 5-4"))).text


def test_masks_alone(make_methods, tmp_path) -> None:
    study = make_methods(dense=[], trained=False)
    bare = dataclasses.replace(study, runs=[dataclasses.replace(run, summary={}) for run in study.runs])
    written = write_methods_report(bare, tmp_path)
    assert [path.name for path in written.figures] == ["layers.png", "channels.png"]
    text = Reader(written.page.read_text(encoding="utf-8")).text
    assert "Only masks were found" in text
    assert "Accuracy" not in text
    assert "Channels without any weight" in text
    (findings,) = find_methods(bare)
    assert findings.missing == ()  # an ablated run has no mask of its own here, and none was asked for


def test_an_unfinished_study_has_a_page(make_methods, tmp_path) -> None:
    study = make_methods()
    nothing = [dataclasses.replace(run, summary={}, mask={}) for run in study.runs]
    dense = [dataclasses.replace(run, summary={}, log=[]) for run in study.dense]
    written = write_methods_report(dataclasses.replace(study, runs=nothing, dense=dense), tmp_path)
    assert written.figures == ()
    text = Reader(written.page.read_text(encoding="utf-8")).text
    assert "No pruned network has a result yet" in text
    assert "and 33 more, in the table of runs" in text


def test_what_is_printed(make_methods) -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    study = make_methods(methods={**make_methods().methods, "unused": "nothing"})
    show_methods(study, console)
    text = plain(console.file.getvalue())
    assert "80 % sparsity: snip 93.0 > synflow 92.1 > random 90.0" in text
    assert "-3.00 (-4.00 to -2.00)" in text
    assert "snip goes farthest" in text


def test_a_terminal_needs_no_matplotlib() -> None:
    code = "import sys, secateurs.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
