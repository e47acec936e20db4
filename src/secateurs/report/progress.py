"""In a terminal: a graph of jobs at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
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
from secateurs.report.rows import number
from secateurs.report.words import number_of, plural


class Progress:
    """A listener for ``jobs.run``: an overall bar (weighted by cost) and a line per running job.

    Where the console is no terminal it prints one plain line per finished job instead. Failures and
    warnings are printed as they come, in both. Jobs that need a failed one will be skipped, of which
    there is no event: they leave the count at once. (Not to be taken for the event
    ``secateurs.jobs.Progress``, by which a job says how far it is.)

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
        self._jobs = known
        self._lost: set[str] = set()
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
                self._skip({job.key})
            case Warned(job, text):
                self._tell(f"warning: {job.label}: {text}", style="yellow")
            case Grown(jobs):
                new = {job.key: job for job in jobs if job.key not in self._jobs}
                self._jobs |= new
                self._cost += sum(job.cost for job in new.values())
                self._skip(set())
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

    def _skip(self, failed: set[str]) -> None:
        """Take out what needs a failed job, directly or through others."""
        self._lost |= failed
        skipped = 0
        while new := [job for job in self._jobs.values() if job.key not in self._lost and self._needs_lost(job)]:
            for job in new:
                self._lost.add(job.key)
                self._end(job, ran=False)
            skipped += len(new)
        if skipped:
            self._tell(f"{plural(skipped, 'job')} skipped: what {'it needs' if skipped == 1 else 'they need'} failed")

    def _needs_lost(self, job: Job) -> bool:
        return any(needed.key in self._lost for needed in job.inputs.values())

    def _counted(self) -> str:
        return f"[{len(self._over)}/{len(self._jobs)}]"

    def _refresh(self) -> None:
        done = self._done + sum(self._running.values())
        count = f"{len(self._over)}/{len(self._jobs)} jobs"
        self._bars.update(self._all, total=self._cost or None, completed=done, count=count)

    def _tell_reused(self) -> None:
        if self._reused:
            self._tell(f"{plural(self._reused, 'job')} done before, not run again")
            self._reused = 0

    def _tell(self, text: str, *, style: str = "", live: bool = True) -> None:
        """Print a line; with ``live=False`` only where there are no bars that say it."""
        if live or not self._console.is_terminal:
            self._console.print(Text(text, style=style), soft_wrap=True)
