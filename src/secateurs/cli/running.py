"""Commands that run a study: ``demo`` and ``run``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape

from secateurs.cli.application import console
from secateurs.cli.options import (
    Device,
    DryRun,
    Energy,
    Out,
    Scale,
    Set,
    Settings,
    Workers,
    about,
    amount,
    cores,
    devices,
    duration,
    meter_of,
    not_measured,
)
from secateurs.cli.reports import write_report
from secateurs.jobs import Engine, Processes, Serial, run
from secateurs.report.terminal import Progress
from secateurs.studies import StudyRecipe, Sweep, load_recipe, shipped
from secateurs.studies.estimate import estimate
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import PRELOAD


def demo(out: Out = None, workers: Workers = None, device: Device = "cpu", dry_run: DryRun = False) -> None:
    """Study early pruning on real handwritten digits: about a minute and a half on two cores, no download."""
    recipe = load_recipe("demo", "demo")
    _study(recipe, "demo", out or Path("secateurs-demo"), None, workers, device, dry_run)


def run_recipe(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (see 'secateurs recipes') or a YAML file.")],
    settings: Settings = None,
    scale: Scale = None,
    set_: Set = None,
    out: Out = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of results that studies share.", show_default="the study's own, or the one it has"),
    ] = None,
    workers: Workers = None,
    device: Device = "cpu",
    energy: Energy = None,
    dry_run: DryRun = False,
) -> None:
    """Run a recipe, or go on with it: finished jobs are never run again."""
    loaded = load_recipe(recipe, scale, [*(settings or []), *(set_ or [])])
    name = recipe + (f"@{scale}" if scale else "")
    short = recipe.replace("/", "-") if recipe in shipped() else Path(recipe).stem
    folder = out or Path("secateurs-runs") / (short + (f"-{scale}" if scale else ""))
    _study(loaded, name, folder, store, workers, device, dry_run, energy)


def _study(
    recipe: StudyRecipe,
    name: str,
    out: Path,
    store: Path | None,
    workers: int | None,
    device: str,
    dry_run: bool,
    energy: str | None = None,
) -> None:
    places, meter = devices(device), meter_of(energy)
    with about(name.partition("@")[0]):
        plan = Sweep(recipe, device=torch.device(places[0]).type)
    workers = workers or (len(places) if places[0] != "cpu" else cores())
    if dry_run:
        size = estimate(plan, places[0])
        more = f", and up to {size.later} more where triggers fire" if size.later else ""
        console.print(
            f"{escape(name)}: {size.jobs} jobs{more}; "
            f"{size.epochs:g} epochs; about {duration(size.seconds / workers)} of training with {workers} "
            f"worker{'s' if workers > 1 else ''} on {escape(device)}, judged by a few steps timed just now; "
            f"about {amount(size.bytes)} of networks kept",
            highlight=False,
            soft_wrap=True,
        )
        return
    command = shlex.join(["secateurs", *sys.argv[1:]])
    ordered = Ordered(recipe, name, plan.device, command, str(store.resolve()) if store else None)
    folder = StudyFolder.create(out, ordered)
    graph = plan.graph()
    engine: Engine = (
        Serial(places[0], recipe.threads, meter=meter)
        if workers == 1
        else Processes(workers, places, recipe.threads, preload=PRELOAD, meter=meter)
    )
    with Progress(console, graph.jobs) as progress:
        outcome = run(graph, folder.store, engine, listener=progress)
    if outcome.stopped:
        console.print("Stopped. Finished jobs are kept: the same command goes on from here.")
        raise typer.Exit(130)
    write_report(folder)
    if meter is not None and (told := not_measured(outcome, folder.store)):
        console.print(told, highlight=False)
    outcome.raise_for_failures()
