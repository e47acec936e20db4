"""In a terminal: a graph of jobs at work, and afterwards what a study found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from secateurs.jobs import (
    Event,
    Failed,
    Finished,
    Grown,
    Job,
    Reused,
    Started,
    Waiting,
    Warned,
)
from secateurs.jobs import Progress as Step
from secateurs.report.findings import Findings
from secateurs.report.rows import number
from secateurs.report.sentences import heading, summary
from secateurs.report.words import number_of, percent, plural


class Progress:
    """A listener for ``jobs.run``: an overall bar (weighted by cost) and a line per running job.

    Where the console is no terminal it prints one plain line per finished job instead. Failures and
    warnings are printed as they come, in both.

    >>> console = Console(force_terminal=False, width=80)
    >>> job = Job("train", 1, {}, label="dense, seed 0")
    >>> with Progress(console, [job]) as listener:
    ...     listener(Started(job))
    ...     listener(Finished(job, 1.5))
    [1/1] dense, seed 0: 1.5 s
    """

    def __init__(self, console: Console, jobs: Iterable[Job]) -> None:
        known = {job.key: job for job in jobs}
        self._console = console
        self._keys = set(known)
        self._cost = sum(job.cost for job in known.values())
        self._over: set[str] = set()
        self._done = 0.0
        self._reused = 0
        self._running: dict[str, float] = {}
        self._rows: dict[str, TaskID] = {}
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=18),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[note]}", markup=False, style="dim"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            speed_estimate_period=600.0,
            disable=not console.is_terminal,
        )
        self._all = self._bars.add_task("all jobs", total=self._cost or None, count="", note="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        self._tell_reused()

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case Started(job):
                self._tell_reused()
                self._row(job, note="")
            case Waiting(job):
                self._row(job, note="another process runs it")
            case Step(job, fields):
                self._step(job, fields)
            case Finished(job, seconds):
                self._end(job, ran=True)
                self._tell(f"{self._counted()} {job.label}: {seconds:.1f} s", live=False)
            case Reused(job):
                self._reused += job.key not in self._over
                self._end(job, ran=False)
            case Failed(job, message):
                self._end(job, ran=True)
                self._tell(f"{self._counted()} {job.label} FAILED: {message}", style="red")
            case Warned(job, text):
                self._tell(f"warning: {job.label}: {text}", style="yellow")
            case Grown(jobs):
                new = {job.key: job for job in jobs if job.key not in self._keys}
                self._keys |= set(new)
                self._cost += sum(job.cost for job in new.values())
        self._refresh()

    def _row(self, job: Job, note: str) -> None:
        self._running.setdefault(job.key, 0.0)
        if job.key in self._rows:
            self._bars.update(self._rows[job.key], note=note)
        else:
            self._rows[job.key] = self._bars.add_task(job.label, total=None, count="", note=note)

    def _step(self, job: Job, fields: Mapping[str, Any]) -> None:
        epoch, epochs, loss = (number(fields, name) for name in ("epoch", "epochs", "loss"))
        self._row(job, note="" if loss is None else f"loss {loss:.3f}")
        if epoch is not None and epochs:
            self._running[job.key] = job.cost * min(epoch / epochs, 1.0)
            count = f"epoch {number_of(epoch)}/{number_of(epochs)}"
            self._bars.update(self._rows[job.key], total=epochs, completed=epoch, count=count)

    def _end(self, job: Job, *, ran: bool) -> None:
        """Close a job's line. What was there already leaves the bar's total, so as not to flatter its speed."""
        self._running.pop(job.key, None)
        if job.key in self._rows:
            self._bars.remove_task(self._rows.pop(job.key))
        if job.key in self._over:
            return
        self._over.add(job.key)
        self._done += job.cost if ran else 0.0
        self._cost -= 0.0 if ran else job.cost

    def _counted(self) -> str:
        return f"[{len(self._over)}/{len(self._keys)}]"

    def _refresh(self) -> None:
        done = self._done + sum(self._running.values())
        count = f"{len(self._over)}/{len(self._keys)} jobs"
        self._bars.update(self._all, total=self._cost or None, completed=done, count=count)

    def _tell_reused(self) -> None:
        if self._reused:
            self._tell(f"{plural(self._reused, 'job')} done before, not run again")
            self._reused = 0

    def _tell(self, text: str, *, style: str = "", live: bool = True) -> None:
        """Print a line; with ``live=False`` only where there are no bars that say it."""
        if live or not self._console.is_terminal:
            self._console.print(Text(text, style=style), soft_wrap=True)


def show(found: Sequence[Findings], console: Console) -> None:
    """Print what a study found: the curve of each setting, then its findings in sentences."""
    for findings in found:
        console.print(Text(heading(findings), style="bold"))
        table = Table(box=SIMPLE)
        for name in ("pruned at epoch", "test", "validation", "seeds"):
            table.add_column(name, justify="right")
        for point in findings.curve:
            style = "bold" if point == findings.best else None
            epoch = ("best: " if point == findings.best else "") + number_of(point.epoch)
            table.add_row(epoch, percent(point.test), percent(point.validation), str(point.test.n), style=style)
        table.add_section()
        count = findings.dense.n if findings.dense else 0
        table.add_row("dense", percent(findings.dense), percent(findings.dense_validation), str(count))
        console.print(table)
        for sentence in summary(findings):
            grid = Table.grid(padding=(0, 1))
            grid.add_row("-", Text(sentence))
            console.print(grid)
        console.print()
