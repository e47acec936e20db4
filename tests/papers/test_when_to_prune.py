"""The regret benchmark: run at smoke scale by the command line, then its rows and files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from secateurs.cli import app
from secateurs.papers import reporter, when_to_prune
from secateurs.studies import Sweep, load_recipe
from secateurs.studies.folder import Ordered, StudyFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    out = tmp_path_factory.mktemp("when") / "study"
    app(["run", "benchmarks/when", "--scale", "smoke", "--out", str(out), "--workers", "1"], standalone_mode=False)
    return StudyFolder(out)


def rows(folder: StudyFolder, name: str) -> list[dict[str, str]]:
    text = (folder.root / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_files_are_there(folder: StudyFolder) -> None:
    names = {path.name for path in folder.root.iterdir()}
    assert {"report.html", "regret-1.png", "regret-1.svg", "curves-2.png"} <= names
    page = (folder.root / "report.html").read_text(encoding="utf-8")
    assert "Settings to judge on" in page
    assert "at a random moment" in page


def test_every_trigger_is_ranked_on_both_sides_and_charged_where_silent(folder: StudyFolder) -> None:
    triggers = set(folder.ordered().recipe.triggers)  # type: ignore[attr-defined]
    ranking = rows(folder, "ranking")
    for side in ("settings to judge on", "settings to choose on"):
        assert {row["trigger"] for row in ranking if row["side"] == side} == triggers
    assert all(row["regret_mean"] and row["uncharged"] == "0" and row["lost"] == "0" for row in ranking)
    decisions = rows(folder, "decisions")
    assert len(decisions) == 2 * 2 * len(triggers)
    ends = {(row["setting"], row["seed"]): row["regret"] for row in decisions if row["trigger"] == "at the end"}
    silent = [row for row in decisions if row["how"] == "never"]
    assert silent
    assert all(row["regret"] == ends[row["setting"], row["seed"]] for row in silent)
    assert all(row["dense_share"] == "1.0" for row in silent)


def test_moments_that_are_shares_of_the_run(folder: StudyFolder) -> None:
    shares = {row["trigger"]: float(row["dense_share"]) for row in rows(folder, "decisions")}
    assert (shares["at the start"], shares["at the end"], shares["at half"]) == (0.0, 1.0, pytest.approx(2 / 3))


def test_no_job_is_left_and_it_is_reported_by_this_module(folder: StudyFolder) -> None:
    ordered = folder.ordered()
    jobs = Sweep(ordered.recipe, ordered.device).jobs(folder.store)
    assert all(folder.store.entry(job).done for job in jobs)
    assert reporter("regret").__name__ == "secateurs.papers.when_to_prune"
    bench = when_to_prune.study_of(ordered, folder.store)
    assert bench.judged == ("LeNet-300-100",)
    assert "weight_change" in bench.study.signals
    assert bench.study.title.endswith("(scale smoke)")


def test_a_benchmark_that_was_not_begun_has_rows(tmp_path: Path) -> None:
    recipe = load_recipe("benchmarks/when", "smoke")
    made = StudyFolder.create(tmp_path / "new", Ordered(recipe, "benchmarks/when@smoke", "cpu", "run", "store"))
    bench, written = when_to_prune.write(made)
    assert written.figures == ()
    assert bench.at_bound == {}
    assert "No trigger has a regret here yet." in written.page.read_text(encoding="utf-8")
