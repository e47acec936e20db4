"""Every command, end to end at smoke scale, as a user runs it."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from secateurs.cli import main, reports
from secateurs.papers import REPORTS
from secateurs.report import Written
from secateurs.studies import STUDIES
from secateurs.studies.folder import StudyFolder

SECATEURS = [sys.executable, "-m", "secateurs.cli"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"}
TABLES = ("runs", "signals", "curve", "peaks", "triggers", "choices")


def secateurs(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SECATEURS, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, check=False
    )


def start(out: Path, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SECATEURS, "run", "demo", "--scale", "smoke", "--out", str(out), "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """All tables without what depends on the clock."""
    found = {}
    for name in TABLES:
        with (folder / "tables" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        found[name] = [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]
    return found


def tensors(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("store/*/*.safetensors"))}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "study"
    done = secateurs("run", "demo", "--scale", "smoke", "--out", out, "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_a_study_leaves_report_figure_and_tables(undisturbed: Path) -> None:
    page = (undisturbed / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "tr(F)" in page
    assert (undisturbed / "figure.png").read_bytes().startswith(b"\x89PNG")
    curve = tables(undisturbed)["curve"]
    assert [float(row["epoch"]) for row in curve] == [0, 2]
    assert all(row["seeds"] == "2" for row in curve)
    assert {row["trigger"] for row in tables(undisturbed)["triggers"]} == {
        "peak of tr(F)",
        "peak of KL-uniform",
        "halfway",
    }


def test_started_again_it_runs_nothing(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("store/*/done.json")}
    again = secateurs("run", "demo", "--scale", "smoke", "--out", undisturbed)
    assert again.returncode == 0
    assert f"{len(before)} jobs done before, not run again" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("store/*/done.json")} == before


def test_two_workers_give_the_bits_of_one(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    assert secateurs("run", "demo", "--scale", "smoke", "--out", out, "--workers", "2").returncode == 0
    assert tables(out) == tables(undisturbed)
    assert tensors(out) == tensors(undisturbed)


def test_killed_twice_it_ends_with_the_same_bits(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    for _ in range(2):
        process = start(out, workers=2)
        assert process.stdout is not None
        for line in process.stdout:  # the event: one more job is finished
            if line.startswith("[") and "/" in line:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    finished = {p: p.stat().st_mtime_ns for p in out.glob("store/*/done.json")}
    assert finished
    end = secateurs("run", "demo", "--scale", "smoke", "--out", out, "--workers", "2")
    assert end.returncode == 0, end.stdout + end.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert tables(out) == tables(undisturbed)
    assert tensors(out) == tensors(undisturbed)


def test_ctrl_c_ends_cleanly_and_keeps_what_is_finished(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    process = start(out, workers=2)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("["):
            break
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: the whole group
    rest = process.stdout.read()
    assert process.wait() == 130, rest
    assert "Traceback" not in rest
    assert "the same command goes on" in rest
    process.stdout.close()
    assert secateurs("run", "demo", "--scale", "smoke", "--out", out).returncode == 0
    assert tables(out) == tables(undisturbed)


def test_more_seeds_and_moments_run_only_what_is_new(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    common = ("run", "demo", "--scale", "smoke", "--out", out, "--workers", "1")
    assert secateurs(*common, "seeds=[0]", "moments=[0]").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in out.glob("store/*/done.json")}
    assert secateurs(*common).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tables(out) == tables(undisturbed)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command in this process: what it prints, on one line."""

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["secateurs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_status_and_report(undisturbed: Path, command: Callable[..., str]) -> None:
    assert "jobs done" in command("status", undisturbed)
    (undisturbed / "report.html").unlink()
    command("report", undisturbed)
    assert (undisturbed / "report.html").exists()


def test_an_unfinished_study_says_so_first(undisturbed: Path, tmp_path: Path, command: Callable[..., str]) -> None:
    out = tmp_path / "study"
    shutil.copytree(undisturbed, out)
    dense = [p.parent for p in out.glob("store/*/spec.json") if '"dense_run"' in p.read_text(encoding="utf-8")]
    shutil.rmtree(dense[0])
    for name in ("status", "report"):
        told = command(name, out)
        assert re.search(
            r"^(Unfinished|demo@smoke): \d+ of \d+ jobs done, and up to [1-9]\d* more where triggers fire", told
        )


def test_studies_share_a_store_and_are_compared_and_cleaned(
    undisturbed: Path, tmp_path: Path, command: Callable[..., str]
) -> None:
    store, first, second = tmp_path / "store", tmp_path / "first", tmp_path / "second"
    common = ("run", "demo", "--scale", "smoke", "--store", store, "--workers", "1", "seeds=[0]", "moments=[0]")
    command(*common, "--out", first)
    told = command(*common, "--out", second, "prune.density=0.5")
    assert "1 job done before, not run again" in told, "the dense run is shared"
    told = command("compare", first, second, "--out", tmp_path / "both")
    assert "prune.density: 0.1 → 0.5" in told
    assert "<script" not in (tmp_path / "both" / "compare.html").read_text(encoding="utf-8")
    held = len(list(store.glob("*/done.json")))
    told = command("clean", first, "--yes")
    assert f"What the study in {second} needs is kept. 0 results removed" in told
    shutil.rmtree(second)
    told = command("clean", first)
    assert f"There is no study in {second} any more" in told
    assert "are not needed here; --yes removes them" in told
    assert len(list(store.glob("*/done.json"))) == held
    assert "MiB freed" in command("clean", first, "--yes")
    assert 0 < len(list(store.glob("*/done.json"))) < held
    assert "0 results removed" in command("clean", first, "--yes")


METHODS = """
study: methods
common:
  title: Two methods on digits
  model: {name: lenet_300_100, hidden: [8, 6]}
  data: {name: digits, train_examples: 120}
  train: {epochs: 2, batch_size: 50, lr: 0.05}
  prune: {after: replay}
  methods:
    magnitude: {}
    rewound: {scored_at: end}
  densities: [0.5, 0.2]
  seeds: [0]
scales:
  tiny: {}
"""


@dataclass
class Typist:
    """Stands for a paper: writes a page, and says what it was asked."""

    kinds: list[str] = field(default_factory=list)
    shown: list[Path] = field(default_factory=list)

    def __call__(self, kind: str) -> Typist:
        self.kinds.append(kind)
        return self

    def write(self, folder: StudyFolder) -> tuple[Path, Written]:
        page = folder.root / "report.html"
        page.write_text("a page", encoding="utf-8")
        return page, Written(page, (), ())

    def show(self, study: Path, console: Console) -> None:
        self.shown.append(study)


def test_a_study_of_methods_goes_the_same_way(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All commands but ``compare`` take any kind; each kind's report is its paper's."""

    def command(*arguments: str | Path, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["secateurs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == status
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    typist = Typist()
    monkeypatch.setattr(reports, "reporter", typist)
    recipe, out = tmp_path / "methods.yaml", tmp_path / "study"
    recipe.write_text(METHODS, encoding="utf-8")
    told = command("run", recipe, "--dry-run", "--workers", "1")
    assert "methods.yaml: 9 jobs; 10.4 epochs;" in told
    assert not out.exists()
    told = command("run", recipe, "--out", out, "--workers", "1")
    assert "report: " in told
    assert (typist.kinds, typist.shown) == (["methods"], [out / "report.html"])
    assert "9 of 9 jobs done" in command("status", out)
    assert "9 jobs done before, not run again" in command("run", recipe, "--out", out, "--workers", "1")
    command("report", out)
    assert typist.kinds == ["methods"] * 3
    command("run", recipe, "--out", out, "--workers", "1", "densities=[0.5]")
    assert "4 results are not needed" in command("clean", out).replace(f"in {out / 'store'} ", "")
    for pair in ((out, undisturbed), (undisturbed, out), (out, out)):
        told = command("compare", *pair, status=2)
        assert "holds a study of kind methods; studies of kind early_periods are what can be compared" in told
    assert "methods.magnitude.scope: expected" in command("run", recipe, "methods.magnitude.scope=x", status=2)


def test_every_kind_of_study_has_a_reporter() -> None:
    assert REPORTS.keys() == STUDIES.keys()


def test_recipes_are_listed_and_shown() -> None:
    listed = secateurs("recipes").stdout
    assert "p0/digits_lenet" in listed
    assert "early_periods" in listed
    assert "study: early_periods" in secateurs("recipes", "demo").stdout


def test_dry_run_says_the_size_and_writes_nothing(tmp_path: Path) -> None:
    told = secateurs("demo", "--dry-run", cwd=tmp_path)
    assert told.returncode == 0
    assert "55 jobs" in told.stdout
    assert "1095 epochs" in told.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "demmo"), "did you mean 'demo'?"),
        (("run", "demo"), "say which scale; choices: demo, smoke"),
        (("run", "demo", "--scale", "smok"), "did you mean 'smoke'?"),
        (("run", "demo", "--scale", "smoke", "train.lr=fast"), "recipe demo: train.lr: expected a number, got 'fast'"),
        (("run", "demo", "--scale", "smoke", "train.batch_size=4000"), "set train.batch_size to at most 1077"),
        (("run", "demo", "--scale", "smoke", "moments=[9]"), "moments: 9 lies outside the run of 4 epochs"),
        (("run", "demo", "--scale", "smoke", "moments=[900it]"), "lies outside the run"),
        (("run", "demo", "--scale", "smoke", "data.train_examples=8"), "digits, train split: no example of class"),
        (("run", "demo", "--scale", "smoke", "--device", "gpu"), "--device: 'gpu' is no device"),
        (("status", "nowhere"), "there is no study here"),
        (("report", "nowhere"), "there is no study here"),
        (("recipes", "p0/digit_lenet"), "did you mean 'p0/digits_lenet'?"),
    ],
)
def test_bad_input_is_told_with_its_remedy(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["secateurs", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir()), "wrong input leaves nothing behind"


def test_a_folder_that_is_no_study_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "letter.txt").write_text("dear", encoding="utf-8")
    told = secateurs("run", "demo", "--scale", "smoke", "--out", tmp_path)
    assert told.returncode == 2
    assert "is no store" in told.stderr
    assert (tmp_path / "store" / "letter.txt").read_text(encoding="utf-8") == "dear"


def test_a_diverged_run_is_a_result(tmp_path: Path) -> None:
    out = tmp_path / "study"
    done = secateurs(
        "run", "p0/digits_lenet", "--scale", "smoke", "--out", out, "--workers", "1", "train.lr=1e30", "seeds=[0]"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["diverged"] for row in tables(out)["runs"]} != {""}
    assert "diverged" in (out / "report.html").read_text(encoding="utf-8")
