"""The command line: ``secateurs demo | run | status | report | compare | clean | recipes``."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from secateurs.core import RecipeError, SecateursError, StoreError, TrainingError
from secateurs.jobs import Engine, Processes, Serial, run
from secateurs.papers import p0_early_periods, reporter
from secateurs.report import compare as compare_studies
from secateurs.report import show_comparison, write_comparison
from secateurs.report.terminal import Progress
from secateurs.studies import StudyRecipe, Sweep, load_recipe, shipped
from secateurs.studies.estimate import estimate
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.recipe import scales_of
from secateurs.studies.runs import PRELOAD

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()

Out = Annotated[Path | None, typer.Option("--out", help="Folder for results and report.", show_default=False)]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that work side by side.", show_default="one for each core or GPU"),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or several as cuda:0,cuda:1.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many jobs, epochs and hours; run nothing.")]


@app.callback(invoke_without_command=True)
def main_options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Prune neural networks early in training: when, what, how, and whether it was worth it."""
    if version:
        console.print(metadata.version("secateurs"), highlight=False)
    elif context.invoked_subcommand is None:
        console.print(context.get_help(), markup=False)


@app.command()
def demo(out: Out = None, workers: Workers = None, device: Device = "cpu", dry_run: DryRun = False) -> None:
    """Study early pruning on real handwritten digits: about a minute and a half on two cores, no download."""
    recipe = load_recipe("demo", "demo")
    _study(recipe, "demo", out or Path("secateurs-demo"), None, workers, device, dry_run)


@app.command("run")
def run_recipe(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (see 'secateurs recipes') or a YAML file.")],
    settings: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="As --set.")] = None,
    scale: Annotated[str | None, typer.Option(help="One of the recipe's scales: paper, small, smoke, ...")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override, e.g. train.lr=0.3; repeatable.")] = None,
    out: Out = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of results that studies share.", show_default="the study's own"),
    ] = None,
    workers: Workers = None,
    device: Device = "cpu",
    dry_run: DryRun = False,
) -> None:
    """Run a recipe, or go on with it: finished jobs are never run again."""
    loaded = load_recipe(recipe, scale, [*(settings or []), *(set_ or [])])
    name = recipe + (f"@{scale}" if scale else "")
    short = recipe.replace("/", "-") if recipe in shipped() else Path(recipe).stem
    folder = out or Path("secateurs-runs") / (short + (f"-{scale}" if scale else ""))
    _study(loaded, name, folder, store, workers, device, dry_run)


@app.command()
def status(folder: Annotated[Path, typer.Argument(help="Folder of a study.")]) -> None:
    """Show how far a study is: jobs done, running, interrupted, still to come."""
    study = StudyFolder(folder)
    jobs = study.jobs()
    states = {job.key: study.store.entry(job).state for job in jobs}
    counts = Counter(states.values())
    console.print(f"[bold]{escape(study.ordered().name)}[/]: {counts['done']} of {len(jobs)} jobs done")
    table = Table("job", "state", box=None, pad_edge=False)
    for job in jobs:
        if states[job.key] != "done":
            table.add_row(escape(job.label), "to come" if states[job.key] == "absent" else states[job.key])
    if table.rows:
        console.print(table)
    page = folder / "report.html"
    if page.exists():
        console.print(f"report: {escape(str(page))}")


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Folder of a study, finished or not.")]) -> None:
    """Write the report of a study again, from what is in its folder; nothing is trained."""
    _report(StudyFolder(folder))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a study.")],
    second: Annotated[Path, typer.Argument(help="Folder of another one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the comparison.")] = Path("secateurs-comparison"),
) -> None:
    """Compare two studies of early periods: what differs in their recipes, best moments, accuracies and regrets."""
    ordered = {folder: StudyFolder(folder).ordered() for folder in (first, second)}
    for folder, study in ordered.items():
        if study.recipe.study != "early_periods":
            raise RecipeError(
                f"compare: {folder} holds a study of kind {study.recipe.study}; studies of kind early_periods are what "
                f"can be compared: lay the tables of the others, {folder / 'tables'}, side by side"
            )
    a, b = (p0_early_periods.study_of(ordered[folder], StudyFolder(folder).store) for folder in (first, second))
    comparison = compare_studies(a, b, names=(str(first), str(second)))
    written = write_comparison(comparison, out)
    show_comparison(comparison, console)
    console.print(f"comparison: [bold]{escape(str(written.page))}[/]", soft_wrap=True)


@app.command()
def clean(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of studies with one store.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only counted.")] = False,
) -> None:
    """Remove results that the studies' recipes, as they were last run, no longer need."""
    studies = [StudyFolder(folder) for folder in folders]
    store = studies[0].store
    if len({study.store.root.resolve() for study in studies}) > 1:
        raise StoreError("clean: the studies have different stores: clean them one after the other")
    needed = {job.key: job for study in studies for job in study.jobs()}
    spare = sum(entry.key not in needed for entry in store.entries())
    if yes:
        console.print(f"{spare} results removed, {store.gc(needed.values()) / 2**20:.1f} MiB freed")
        return
    console.print(
        f"{spare} results in {escape(str(store.root))} are not needed here; --yes removes them", soft_wrap=True
    )
    if any(study.shares_its_store for study in studies):
        console.print("The store is shared: results of studies that are not named are among them.")


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Show this recipe's text.")] = None) -> None:
    """List the shipped recipes with their scales, or show one to copy from."""
    known = shipped()
    if name is not None:
        if name not in known:
            load_recipe(name)  # raises, with the choices and the nearest match
        console.out(known.get(name, Path(name)).read_text(encoding="utf-8"), end="", highlight=False)
        return
    table = Table("recipe", "scales", "kind", "what", box=None, pad_edge=False)
    for each in known:
        scales = scales_of(each)
        recipe = load_recipe(each, scales[0])
        table.add_row(each, ", ".join(scales), recipe.study, recipe.title)
    console.print(table)


def _study(
    recipe: StudyRecipe, name: str, out: Path, store: Path | None, workers: int | None, device: str, dry_run: bool
) -> None:
    devices = _devices(device)
    plan = Sweep(recipe, device=torch.device(devices[0]).type)
    workers = workers or (len(devices) if devices[0] != "cpu" else _cores())
    if dry_run:
        size = estimate(plan, devices[0])
        more = f", and up to {size.later} more where triggers fire" if size.later else ""
        console.print(
            f"{escape(name)}: {size.jobs} jobs{more}; "
            f"{size.epochs:g} epochs; about {_duration(size.seconds / workers)} of training with {workers} "
            f"worker{'s' if workers > 1 else ''} on {escape(device)}, judged by a few steps timed just now",
            highlight=False,
            soft_wrap=True,
        )
        return
    command = shlex.join(["secateurs", *sys.argv[1:]])
    ordered = Ordered(recipe, name, plan.device, command, str(store.resolve()) if store else "store")
    folder = StudyFolder.create(out, ordered)
    graph = plan.graph()
    engine: Engine = (
        Serial(devices[0], recipe.threads)
        if workers == 1
        else Processes(workers, devices, recipe.threads, preload=PRELOAD)
    )
    with Progress(console, graph.jobs) as progress:
        outcome = run(graph, folder.store, engine, listener=progress)
    if outcome.stopped:
        console.print("Stopped. Finished jobs are kept: the same command goes on from here.")
        raise typer.Exit(130)
    _report(folder)
    outcome.raise_for_failures()


def _report(folder: StudyFolder) -> None:
    folder.jobs()  # refuses before anything is overwritten
    paper = reporter(folder.ordered().recipe.study)
    study, written = paper.write(folder)
    paper.show(study, console)
    for path in (written.page, *written.figures):
        console.print(f"{'report' if path == written.page else 'figure'}: [bold]{escape(str(path))}[/]", soft_wrap=True)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _duration(seconds: float) -> str:
    """Hours where there are any, else minutes, else seconds."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(1.0, seconds):.0f} seconds"


def _devices(text: str) -> tuple[str, ...]:
    devices = tuple(part.strip() for part in text.split(",") if part.strip())
    for each in devices or ("",):
        try:
            kind = torch.device(each).type
        except RuntimeError:
            raise TrainingError(f"--device: {each!r} is no device: write cpu, cuda, cuda:1 or cuda:0,cuda:1") from None
        if kind not in ("cpu", "cuda"):
            raise TrainingError(f"--device: {each!r}: only cpu and cuda are known to work; leave --device out for cpu")
        if kind == "cuda" and (torch.device(each).index or 0) >= torch.cuda.device_count():
            raise TrainingError(f"--device: {each!r}: this machine has no such CUDA device; leave --device out for cpu")
    if len({torch.device(each).type for each in devices}) > 1:
        raise TrainingError(f"--device: {text!r} mixes kinds of devices: bits would differ between them")
    return devices


def main() -> None:
    """Entry point: errors that tell their remedy go to stderr without a traceback, exit status 2."""
    try:
        app(standalone_mode=True)
    except SecateursError as error:
        kind = "" if isinstance(error, RecipeError) else "error: "
        Console(stderr=True).print(f"[bold red]{kind}[/]{escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
