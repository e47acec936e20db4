"""Progress and print-out, with a console that writes into a string."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from secateurs.jobs import Failed, Finished, Grown, Job, Reused, Started, Waiting, Warned
from secateurs.jobs import Progress as Step
from secateurs.report import Progress, find, show
from secateurs.report.words import SPACE


def jobs(count: int, start: int = 0) -> list[Job]:
    return [Job("train", 1, {"i": i}, label=f"dense [bold]{i}", cost=2.0) for i in range(start, start + count)]


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None, legacy_windows=False)


def text(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_without_a_terminal_a_line_per_finished_job() -> None:
    plain, (a, b, c) = console(False), jobs(3)
    with Progress(plain, [a, b]) as listener:
        listener(Reused(a))
        listener(Grown((c,)))
        listener(Started(b))
        listener(Step(b, {"epoch": 1, "epochs": 2, "loss": None}))
        listener(Warned(b, "made anew"))
        listener(Finished(b, 1.25))
        listener(Failed(c, "no [memory]"))
    assert text(plain).splitlines() == [
        "1 job done before, not run again",
        "warning: dense [bold]1: made anew",
        "[2/3] dense [bold]1: 1.2 s",
        "[3/3] dense [bold]2 FAILED: no [memory]",
    ]


def test_in_a_terminal_running_jobs_have_a_line() -> None:
    live, (a, b) = console(True), jobs(2)
    with Progress(live, [a, b]) as listener:
        listener(Started(a))
        listener(Step(a, {"epoch": 1, "epochs": 4, "loss": 0.5}))
        listener(Waiting(b))
        listener._bars.refresh()
        bars = {task.description: task for task in listener._bars.tasks}
        assert bars["all jobs"].completed == pytest.approx(0.5)  # a quarter of a job of cost 2
        assert bars["all jobs"].total == pytest.approx(4.0)
        assert bars[a.label].fields["count"] == "epoch 1/4"
        assert bars[b.label].fields["note"] == "another process runs it"
        listener(Finished(a, 1.0))
        listener(Reused(b))
        (left,) = listener._bars.tasks
        assert (left.completed, left.total) == (2.0, 2.0)
        assert left.fields["count"] == "2/2 jobs"
    assert "epoch 1/4 loss 0.500" in " ".join(text(live).split())
    assert "dense [bold]0" in text(live)


def test_what_needs_a_failed_job_leaves_the_bar() -> None:
    (root, other), plain = jobs(2), console(False)
    first = Job("train", 1, {"i": 7}, inputs={"dense": root}, cost=3.0)
    second = Job("train", 1, {"i": 8}, inputs={"first": first}, cost=3.0)
    late = Job("train", 1, {"i": 9}, inputs={"dense": root}, cost=3.0)
    with Progress(plain, [root, other, first, second]) as listener:
        listener(Failed(root, "no memory"))
        listener(Grown((late,)))
        listener(Finished(other, 1.0))
        (left,) = listener._bars.tasks
        assert (left.completed, left.total) == (4.0, 4.0)
    assert text(plain).splitlines() == [
        "[1/4] dense [bold]0 FAILED: no memory",
        "2 jobs skipped: what they need failed",
        "1 job skipped: what it needs failed",
        "[5/5] dense [bold]1: 1.0 s",
    ]


def test_drawing_is_not_loaded_before_something_is_drawn() -> None:
    code = "import sys, secateurs.report.terminal as t; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_jobs_at_all() -> None:
    plain = console(False)
    with Progress(plain, []):
        pass
    assert text(plain) == ""


def test_show_prints_curve_and_sentences(make_study) -> None:
    plain = console(False)
    show(find(make_study()), plain)
    words = " ".join(text(plain).replace(SPACE, " ").split())
    assert "best: 4 91.0 ± 1.0 % 92.0 ± 1.0 % 3" in words
    assert "- The best moment to prune is epoch 4 of 10" in words
    assert "regret −0.17 points" in words  # noqa: RUF001
