"""The command that trains once and prunes by itself: ``prune``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape

from secateurs.cli.application import console
from secateurs.cli.options import DryRun, Energy, Out, Scale, Set, Settings, about, devices, duration, meter_of
from secateurs.cli.pruned import result_of
from secateurs.core import RecipeError, TrainingError
from secateurs.jobs import Serial, run
from secateurs.report.automatic import show_automatic, write_automatic
from secateurs.report.terminal import Progress
from secateurs.studies import StudyRecipe, load_recipe, shipped
from secateurs.studies.automatic import AutomaticPlan, one_setting
from secateurs.studies.estimate import seconds_per_epoch
from secateurs.studies.pruned_folder import FIGURE, RESULT, PrunedFolder
from secateurs.studies.recipe import scales_of, triggers_of
from secateurs.studies.schema import EarlyPeriods
from secateurs.studies.triggers import DEFAULT
from secateurs.when import describe

_LARGEST_SEED = 2**63 - 1


def prune(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe of kind early_periods, or a YAML file.")],
    settings: Settings = None,
    trigger: Annotated[
        str | None,
        typer.Option(
            help="When to prune: one of the recipe's triggers by name, or one with options: "
            "'peak signal=kl_uniform patience=3 no_later_than=50%'. 'default' is the recipe's own trigger of that name "
            "if it has one, else the built-in.",
            show_default="default",
        ),
    ] = None,
    scale: Scale = None,
    set_: Set = None,
    setting: Annotated[str | None, typer.Option(help="Which of the recipe's settings, where it has several.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random.", show_default="the recipe's first")] = None,
    out: Out = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    all_signals: Annotated[
        bool, typer.Option("--all-signals", help="Measure all signals of the recipe, not only those the trigger needs.")
    ] = False,
    energy: Energy = None,
    dry_run: DryRun = False,
) -> None:
    """Train a recipe's network once, and prune it in the same run when a trigger fires.

    The folder gets pruned.safetensors, result.json and signal.png. With a mask
    (prune.how=masks) there is mask.safetensors, too, and plain PyTorch loads
    the network; without the channels that were removed (prune.how=channels) it
    is smaller than the recipe's, and secateurs.export.load_network builds it.
    The last lines say how. A run that was interrupted goes on with the same
    command; a finished one is not run again.
    """
    places, meter = devices(device), meter_of(energy)
    if len(places) > 1:
        raise TrainingError(f"--device: {device!r}: one run needs one device: name one of them")
    name, chosen_scale = _named(recipe, scale)
    loaded = _loaded(recipe, chosen_scale, [*(settings or []), *(set_ or [])], trigger)
    if not isinstance(loaded, EarlyPeriods):
        raise RecipeError(_OF_ANOTHER_KIND.format(recipe=recipe, kind=loaded.study))
    with about(recipe):
        loaded = one_setting(loaded, setting)
    seed = loaded.seeds[0] if seed is None else seed
    if not 0 <= seed <= _LARGEST_SEED:
        raise RecipeError(f"--seed: {seed} is out of range: a whole number from 0 to {_LARGEST_SEED}")
    kind = torch.device(places[0]).type
    with about(recipe, but=None if trigger is None else "trigger "):
        plan = AutomaticPlan.of(loaded, trigger, seed=seed, device=kind, all_signals=all_signals)
    if dry_run:
        _tell_size(plan, name, places[0])
        return
    folder = PrunedFolder(out or Path("secateurs-runs") / f"prune-{name.replace('/', '-').replace('@', '-')}")
    with Progress(console, [plan.job]) as progress:
        outcome = run(
            plan.graph(), folder.store, Serial(places[0], plan.recipe.threads, meter=meter), listener=progress
        )
    if outcome.stopped:
        console.print("Stopped. What is done is kept: the same command goes on from here.")
        raise typer.Exit(130)
    outcome.raise_for_failures()
    entry = folder.store.entry(plan.job)
    written = folder.write_network(entry)
    result = result_of(plan, folder.store, recipe=name, command=shlex.join(["secateurs", *sys.argv[1:]]))
    show_automatic(result, console)
    figure, numbers = write_automatic(result, folder.root / FIGURE, folder.root / RESULT)
    for what, path in (*((_WHAT[path.name], path) for path in written), ("figure", figure), ("numbers", numbers)):
        console.print(f"{what}: [bold]{escape(str(path))}[/]", soft_wrap=True)
    if written:
        console.print(_LOADED[bool(result.channels)].format(path=str(written[0])), markup=False, soft_wrap=True)


_LOADED = {
    True: "to load it: model = secateurs.export.load_network({path!r})",
    False: "to load it: model.load_state_dict(safetensors.torch.load_file({path!r}))",
}
"""The line of Python that reads the network, by whether channels were removed."""

_OF_ANOTHER_KIND = (
    "recipe {recipe}: is of kind {kind}, which has no trigger to prune one network by: run it with "
    "'secateurs run', or write one of kind early_periods for 'secateurs prune': study: early_periods with the same "
    "model, data and train, the prune of one method with its density, moments: [0] and seeds ('secateurs recipes' "
    "lists the shipped ones)"
)

_WHAT = {"pruned.safetensors": "pruned network", "dense.safetensors": "dense network", "mask.safetensors": "mask"}


def _named(recipe: str, scale: str | None) -> tuple[str, str | None]:
    """The recipe's name with its scale. Without one, a scale of the recipe's own name is meant, if there is one."""
    if scale is None and recipe in scales_of(recipe):
        return recipe, recipe
    short = recipe if recipe in shipped() else Path(recipe).stem
    return short + (f"@{scale}" if scale else ""), scale


def _loaded(recipe: str, scale: str | None, overrides: list[str], trigger: str | None) -> StudyRecipe:
    """The recipe; what only a study would do must fit the run no more: its moments, and triggers nobody asked for."""
    try:
        return load_recipe(recipe, scale, overrides)
    except RecipeError as error:
        try:
            asked = DEFAULT if trigger is None else trigger
            others = {name: None for name in triggers_of(recipe, scale) if name != asked}
            return load_recipe(recipe, scale, [*overrides, "moments=[0]", f"triggers={json.dumps(others)}"])
        except RecipeError:
            raise error from None


def _tell_size(plan: AutomaticPlan, name: str, device: str) -> None:
    epochs = plan.recipe.train.epochs
    seconds = epochs * seconds_per_epoch(plan.recipe, plan.steps_per_epoch, device)
    signals = ", ".join(spec.name for spec in plan.recipe.signals) or "nothing"
    console.print(
        f"{escape(name)}: one run of {epochs} epochs, seed {plan.seed}; about {duration(seconds)} of training on "
        f"{escape(device)}, judged by a few steps timed just now\n"
        f"trigger {escape(repr(plan.trigger))}: {escape(describe(plan.rule))}; it watches {escape(signals)}",
        highlight=False,
        soft_wrap=True,
    )
