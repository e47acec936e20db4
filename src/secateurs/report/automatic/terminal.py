"""One run that prunes itself, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.report.automatic import sentences
from secateurs.report.automatic.result import AutomaticResult
from secateurs.report.automatic.trace import plot
from secateurs.report.rows import number
from secateurs.report.terminal import say
from secateurs.report.words import NOTHING, number_of, signal_name

_WIDTH, _NARROWEST = 100, 24


def show_automatic(result: AutomaticResult, console: Console) -> None:
    """Print when it was pruned and why, the signals' courses, what is left of each layer, and what it came to."""
    console.print(Text(f"{result.title}, seed {result.seed}", style="bold"))
    console.print(Text(f"{result.data}\ntrigger {result.trigger!r}: {result.rule}"), style="dim")
    console.print()
    first, *rest = sentences.decision(result)
    console.print(Text(first, style="bold"))
    for sentence in rest:
        console.print(Text(sentence))
    console.print()
    for signal in result.needs or ("loss",):
        _trace(result, signal, console)
    if result.channels:
        console.print(_parts("channels of", "channels", [(c.name, c.units, c.kept) for c in result.channels]))
    elif result.layers:
        console.print(_parts("layer", "weights", [(each.name, each.weights, each.kept) for each in result.layers]))
    console.print(_accuracies(result))
    say(sentences.outcome(result), console)


def _trace(result: AutomaticResult, signal: str, console: Console) -> None:
    epochs, values = result.trace(signal)
    if not values:
        return
    mark = result.pruned_epoch
    label = "" if mark is None else f"pruned, epoch {number_of(mark)}"
    width = max(_NARROWEST, min(console.width, _WIDTH) - 2)
    until = "" if mark is None else " until it was pruned"
    console.print(Text(f"{signal_name(signal)} at the end of each epoch{until}"))
    mark = mark if mark else None  # the untrained network has no column
    for line in plot(epochs, values, until=result.epochs, mark=mark, width=width, label=label):
        console.print(Text(f"  {line}"), no_wrap=True, crop=True)
    console.print()


def _parts(of: str, what: str, rows: Sequence[tuple[str, int, int]]) -> Table:
    """How many of what are kept, part by part, and of all."""
    table = Table(box=SIMPLE)
    table.add_column(of, overflow="fold")
    for name in (what, "kept", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, there, kept in rows:
        table.add_row(Text(name), f"{there:,}", f"{kept:,}", _share(kept, there))
    table.add_section()
    there, kept = sum(row[1] for row in rows), sum(row[2] for row in rows)
    table.add_row("all", f"{there:,}", f"{kept:,}", _share(kept, there), style="bold")
    return table


def _accuracies(result: AutomaticResult) -> Table:
    table = Table(box=SIMPLE)
    for name in ("at the end", "accuracy", "loss"):
        table.add_column(name, justify="left" if name == "at the end" else "right")
    for part in ("train", "validation", "test"):
        accuracy, loss = (number(result.summary, f"{part}_{what}") for what in ("accuracy", "loss"))
        shown = NOTHING if accuracy is None else f"{100 * accuracy:.2f} %"
        style = "bold" if part == "test" else None
        table.add_row(part, shown, NOTHING if loss is None else number_of(loss), style=style)
    return table


def _share(kept: int, there: int) -> str:
    return f"{100 * kept / there:.1f} %" if there else NOTHING
