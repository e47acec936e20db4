"""The application that commands are added to, and its entry point."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from secateurs.core import RecipeError, SecateursError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()


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


def main() -> None:
    """Entry point: errors that tell their remedy go to stderr without a traceback, exit status 2."""
    try:
        app(standalone_mode=True)
    except SecateursError as error:
        kind = "" if isinstance(error, RecipeError) else "error: "
        Console(stderr=True).print(f"[bold red]{kind}[/]{escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from None
