"""The command that finds a lottery ticket and writes it to a file: ``ticket``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape

from secateurs.cli.application import console
from secateurs.cli.options import DryRun, Energy, Out, Set, about, amount, devices, duration, meter_of, not_measured
from secateurs.cli.ticket_folder import check_folder, check_same
from secateurs.cli.ticketed import show_ticket, to_json
from secateurs.core import PruningError, RecipeError, TrainingError
from secateurs.jobs import Serial, run
from secateurs.jobs.files import write_json
from secateurs.report.terminal import Progress
from secateurs.report.words import plural
from secateurs.studies import Sweep
from secateurs.studies.estimate import estimate
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.tickets.file import TICKET_FILE, TICKET_RESULT, ticket_of
from secateurs.studies.tickets.plan import TicketsPlan
from secateurs.studies.tickets.recipe import TICKET, ticket_recipe

_LARGEST_SEED = 2**63 - 1


def ticket(
    model: Annotated[str, typer.Argument(help="A network of the zoo: lenet_300_100, conv_4, resnet20, ...")],
    data: Annotated[str, typer.Argument(help="A data set of the zoo: mnist, cifar10, digits, ...")],
    density: Annotated[
        float, typer.Option(help="Share of the prunable weights that the ticket keeps, between 0 and 1.")
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="As --set: options of model, data, train and prune.")
    ] = None,
    rewind: Annotated[
        str | None,
        typer.Option(
            help="The moment k that weights are rewound to: 0, 500it, 2ep, or a share of the run, 5%.",
            show_default="0 for LeNet and the Conv networks, 5% for others",
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="Share of what is left that each level drops.")] = 0.2,
    one_shot: Annotated[
        bool, typer.Option("--one-shot", help="Prune at once after the dense run, not level by level.")
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="LAYER", help="A layer that is not pruned; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    set_: Set = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    out: Out = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of results that studies share.", show_default="the ticket's own, or the one it has"),
    ] = None,
    energy: Energy = None,
    dry_run: DryRun = False,
) -> None:
    """Find a lottery ticket: a sparse network that trains from its early weights.

    Trains the network, drops its smallest weights, rewinds the others to the
    moment k, and again, level by level (iterative magnitude pruning). Each level
    keeps 80 % of the one before (--rate), the last one exactly DENSITY.

    The folder gets ticket.safetensors: the weights of moment k, zero where they
    are pruned, and the mask, for plain PyTorch to load; the last lines say how.
    ticket.json has all numbers. How well a level does is judged on validation
    data. Test data are evaluated at the end of each run, as part of its numbers;
    nothing is chosen by them.

    LeNet-300-100 and the Conv networks train for 20 epochs by Adam, others for 60
    by SGD, at the rates of P2; train.epochs=... and the like say otherwise.
    What was interrupted goes on with the same command.

    Examples:

    secateurs ticket lenet_300_100 mnist --density 0.1

    secateurs ticket resnet20 cifar10 data.folder=FOLDER --density 0.2 --rewind 500it
    """
    places, meter = devices(device), meter_of(energy)
    if len(places) > 1:
        raise TrainingError(f"--device: {device!r}: levels follow on one another: name one device")
    if not 0 <= seed <= _LARGEST_SEED:
        raise RecipeError(f"--seed: {seed} is out of range: a whole number from 0 to {_LARGEST_SEED}")
    recipe = ticket_recipe(
        model,
        data,
        density,
        rate=rate,
        one_shot=one_shot,
        rewind=rewind,
        exclude=exclude or (),
        seed=seed,
        overrides=[*(settings or []), *(set_ or [])],
    )
    with about(TICKET, _OPTION), _in_options(one_shot=one_shot):
        sweep = Sweep(recipe, device=torch.device(places[0]).type)
    (plan,) = sweep.plans(TicketsPlan).values()
    if dry_run:
        size = estimate(sweep, places[0])
        console.print(
            f"{escape(recipe.title)}: {size.jobs} jobs; the dense network and {plural(recipe.depth, 'level')}, "
            f"{recipe.train.epochs} epochs each; about {duration(size.seconds)} of training on {escape(device)}, "
            f"judged by a few steps timed just now; about {amount(size.bytes)} of networks kept",
            highlight=False,
            soft_wrap=True,
        )
        return
    root = out or Path("secateurs-runs") / f"ticket-{model}-{data}"
    check_folder(root)
    check_same(root, plan)
    command = shlex.join(["secateurs", *sys.argv[1:]])
    folder = StudyFolder.create(
        root, Ordered(recipe, TICKET, sweep.device, command, str(store.resolve()) if store else None)
    )
    graph = sweep.graph()
    with Progress(console, graph.jobs) as progress:
        engine = Serial(places[0], recipe.threads, meter=meter)
        outcome = run(graph, folder.store, engine, listener=progress)
    if outcome.stopped:
        console.print("Stopped. Finished levels are kept: the same command goes on from here.")
        raise typer.Exit(130)
    outcome.raise_for_failures()
    found = ticket_of(plan, folder.store)
    there = found.write(root / TICKET_FILE)
    write_json(root / TICKET_RESULT, to_json(found, plan, command))
    show_ticket(found, plan, console)
    if meter is not None and (told := not_measured(outcome, folder.store)):
        console.print(told, highlight=False)
    for what, name in (*((("ticket", TICKET_FILE),) if there else ()), ("numbers", TICKET_RESULT)):
        console.print(f"{what}: [bold]{escape(str(root / name))}[/]", soft_wrap=True)
    if not there:
        raise typer.Exit(1)
    console.print(
        "to load it; what is left in `ticket` is the mask, and the last line goes after each step of training:"
    )
    for line in LINES:
        console.print(f"    {line.format(path=str(root / TICKET_FILE))}", markup=False, highlight=False, soft_wrap=True)


LINES = (
    "import safetensors.torch",
    "ticket = safetensors.torch.load_file({path!r})",
    "model.load_state_dict({{name: ticket.pop(name) for name in model.state_dict()}})",
    "for name, kept in ticket.items(): w = model.get_parameter(name[5:]).data; w.mul_(kept.to(w.device))",
)
"""The lines of Python that load the ticket, and that keep it one while it is trained."""


_OPTION = "--"


@contextmanager
def _in_options(*, one_shot: bool) -> Iterator[None]:
    """Faults of levels speak of the options that they follow from."""
    try:
        yield
    except PruningError as error:
        begin, text = "levels: ", str(error)
        if not text.startswith(begin):
            raise
        told = text.removeprefix(begin).partition(": ask for ")[0]
        remedy = "say a higher one" + ("" if one_shot else ", a higher --rate, or --one-shot")
        raise PruningError(f"{_OPTION}density: {told}: {remedy}") from error
