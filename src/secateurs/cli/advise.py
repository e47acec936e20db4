"""The command that says in which regime of pruning a network is, and what to change: ``advise``."""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape

from secateurs.cli.application import console
from secateurs.cli.options import DryRun, Out, Scale, Set, about, amount, devices, duration
from secateurs.cli.reports import write_report
from secateurs.core import RecipeError, StoreError, TrainingError
from secateurs.jobs import Serial, run
from secateurs.report.terminal import Progress
from secateurs.report.words import plural
from secateurs.studies import Sweep, shipped
from secateurs.studies.advice.recipe import Question, advice_on_recipe
from secateurs.studies.advice.sources import advice_on_checkpoints, advice_on_study
from secateurs.studies.estimate import estimate
from secateurs.studies.folder import RECIPE, Ordered, StudyFolder, name_in
from secateurs.studies.recipe import scales_of
from secateurs.studies.schema.advice import ALPHA, Advice

_OPTION = "--"
_DIGITS = 6  # of the digest of a folder's place, in the names of folders of advice on it


def advise(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|FOLDER",
            help="A recipe of any kind; the folder of a study that was run; or a folder of dense checkpoints, "
            "*.safetensors with a state dict each.",
        ),
    ],
    density: Annotated[float, typer.Option(help="Share of the prunable weights that is to be kept, up to 1.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="As --set: of model, data, train, prune and retrain."),
    ] = None,
    scale: Scale = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Of checkpoints: the recipe that says network, data and training; or say model=..., data=...",
            show_default=False,
        ),
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="Which of the settings, where they train several networks.", show_default=False)
    ] = None,
    at: Annotated[
        list[int] | None,
        typer.Option(
            metavar="EPOCH",
            help="Look at the dense network of this epoch of its training; repeatable.",
            show_default="its end",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Dense networks, each of a seed of its own.", show_default="1; of a study all it has"),
    ] = None,
    copies: Annotated[int, typer.Option(min=2, help="Copies of each pruned network; all pairs are compared.")] = 2,
    epochs: Annotated[
        str, typer.Option(metavar="ALPHA", help="How long copies are retrained: 2, 2ep or 500it.")
    ] = ALPHA,
    set_: Set = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    out: Out = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder of results that studies share.",
            show_default="one for all densities of a source; the folder's own with --out",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Say whether a network that is to be pruned was trained too hot, too cold, or well (P4).

    Prunes the dense network by magnitude, the same share of every layer, and
    retrains two copies for a short while with other orders of the data. Where a
    barrier of error stands between them (LMC below -0.05), the network is poorly
    connected: raise the temperature of dense training, as by stopping earlier,
    smaller batches, or a larger rho of SAM. Where there is none, but their outputs
    are not similar (CKA below 0.9), lower it: train longer. Else leave it.

    It says which fields to change, how sure that is (1,000 bootstrap draws of the
    training examples, and of the seeds where there are several), and what it cost.
    Of several networks (--at, or a folder of checkpoints) it says which one to
    prune, by P4's Algorithm 2.1. The folder gets report.html, advice.png and
    advice.json. Nothing is chosen by test data. What was interrupted goes on with
    the same command.

    Examples:

    secateurs advise demo --density 0.1 --at 5 --at 30 --epochs 8

    secateurs advise secateurs-runs/demo --density 0.1

    secateurs advise checkpoints/ --density 0.05 model=resnet20 data=cifar10 data.folder=FOLDER
    """
    places = devices(device)
    if len(places) > 1:
        raise TrainingError(f"--device: {device!r}: copies are retrained one after the other: name one device")
    asked = Question(
        density=density,
        at=tuple(at or ()),
        seeds=seeds,
        copies=copies,
        epochs=epochs,
        setting=setting,
        overrides=(*(settings or []), *(set_ or [])),
    )
    if scale is None and source in shipped() and source in scales_of(source):
        scale = source  # as of 'secateurs prune'
    advice, left = _advice(source, recipe, scale, asked)
    name = _named(source, scale, setting)
    with about(source, _OPTION):
        sweep = Sweep(advice, device=torch.device(places[0]).type)
    for what in left:
        console.print(f"Left out: {escape(what)}.", soft_wrap=True, highlight=False)
    if recipe is None and Path(source).is_dir() and not (Path(source) / RECIPE).is_file():
        train = advice.train
        console.print(
            f"Copies are retrained for {plural(train.epochs, 'epoch')} of batches of {train.batch_size} at a rate of "
            f"{train.lr:g}, as far as it is not said otherwise: train.epochs=..., or --recipe.",
            soft_wrap=True,
            highlight=False,
        )
    if dry_run:
        _tell_size(sweep, advice, places[0])
        return
    home = Path("secateurs-runs") / f"advise-{name}"
    later = "" if epochs in (ALPHA, ALPHA.removesuffix("ep")) else f"-after-{epochs}"
    root = out or home / f"density-{density:g}{later}"
    shared = str((store or home / "store").resolve()) if store or (out is None and name_in(root) is None) else None
    _check_folder(root)
    command = shlex.join(["secateurs", *sys.argv[1:]])
    folder = StudyFolder.create(root, Ordered(advice, f"advise {name}", sweep.device, command, shared))
    graph = sweep.graph()
    with Progress(console, graph.jobs) as progress:
        outcome = run(graph, folder.store, Serial(places[0], advice.threads), listener=progress)
    if outcome.stopped:
        console.print("Stopped. What is done is kept: the same command goes on from here.")
        raise typer.Exit(130)
    outcome.raise_for_failures()
    write_report(folder)
    console.print(f"numbers: [bold]{escape(str(root / 'advice.json'))}[/]", soft_wrap=True)


def _advice(source: str, recipe: str | None, scale: str | None, asked: Question) -> tuple[Advice, tuple[str, ...]]:
    """What is asked, and what of the source is left out, in words."""
    root = Path(source)
    if source in shipped() or not root.is_dir():
        if recipe is not None:
            raise RecipeError(f"--recipe: {source!r} is a recipe itself: leave --recipe out, or name a folder")
        return advice_on_recipe(source, scale, asked), ()
    if not (root / RECIPE).is_file():
        return advice_on_checkpoints(root, recipe, scale, asked)
    for option, value in (("recipe", recipe), ("scale", scale)):
        if value is not None:
            raise RecipeError(f"--{option}: the study in {source} says what it is: leave --{option} out")
    return advice_on_study(root, asked)


def _named(source: str, scale: str | None, setting: str | None) -> str:
    """What the source is called where folders are named for it; two folders of one name are told apart by their places.

    >>> _named("p4/fig7", "cpu", "batch size, width"), _named("demo", "demo", None)
    ('p4-fig7-cpu-batch_size_width', 'demo')
    """
    path = Path(source)
    if source in shipped():
        short = source.replace("/", "-")
    elif path.is_dir():
        place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:_DIGITS]
        short = f"{path.resolve().name}-{place}"
    else:
        short = path.stem
    told = [scale if scale != source else None, None if setting is None else re.sub(r"\W+", "_", setting)]
    return "-".join([short, *(each for each in told if each)])


def _check_folder(root: Path) -> None:
    """Refuse a folder with something else in it.

    Raises:
        StoreError: naming what is there.
    """
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root}: is a file: name a folder with --out")
    there = name_in(root)
    if there is not None and not there.startswith("advise "):
        raise StoreError(f"{root}: is the folder of the study {there!r}: name another one with --out")
    alien = sorted(path.name for path in root.iterdir() if path.name[0] != ".") if root.is_dir() else []
    if there is None and alien and set(alien) - {"store", RECIPE}:
        raise StoreError(
            f"{root}: holds {alien[0]!r}, and no run of 'secateurs advise': name an empty or a new folder with --out"
        )


def _tell_size(sweep: Sweep, advice: Advice, device: str) -> None:
    size = estimate(sweep, device)
    dense = "dense networks that are there" if advice.networks else plural(len(advice.seeds), "dense run")
    console.print(
        f"{escape(advice.title)}: {size.jobs} jobs; {dense}, "
        f"{advice.copies} copies of each pruned network, retrained until {advice.compare.probe}; "
        f"about {duration(size.seconds)} of training on {escape(device)}, judged by a few steps timed just now; "
        f"about {amount(size.bytes)} of networks kept",
        highlight=False,
        soft_wrap=True,
    )
