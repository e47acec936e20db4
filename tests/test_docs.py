"""What README and docs show is true: code runs, recipes are valid, commands exist, links lead somewhere."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
import yaml

from secateurs.cli import app
from secateurs.studies import load_recipe
from secateurs.studies.recipe import scales_of

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GENERATED = ("docs/reference/",)
"""Written by Sphinx's configuration as the docs are built; Sphinx itself checks links into them."""

_FENCE = re.compile(r"^```(\S+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r'\]\(([^)\s]+)\)|^```\{image\} (\S+)|<img src="([^"]+)"', re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page: its language, text, and the line on which the text begins."""

    language: str
    text: str
    line: int


def blocks(page: Path, language: str) -> Iterator[Block]:
    """The blocks of one language, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        if match[1] == language:
            yield Block(match[1], match[2], text[: match.start(2)].count("\n"))


def pages_with(language: str) -> list[pytest.ParameterSet]:
    """The pages that have such blocks, as parameters named after them."""
    return [pytest.param(p, id=str(p.relative_to(ROOT))) for p in PAGES if any(blocks(p, language))]


def shown_after_code(page: Path) -> str:
    """The ``text`` blocks that follow a Python block at once: what it prints."""
    text = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    after = [
        later[2]
        for earlier, later in pairwise(found)
        if (earlier[1], later[1]) == ("python", "text") and not text[earlier.end() : later.start()].strip()
    ]
    return "".join(after)


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    for block in blocks(page, "python"):
        lines += [""] * (block.line - len(lines))  # so that a traceback names the page's own lines
        lines += block.text.splitlines()
    script = tmp_path / f"{page.stem}.py"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    printed = capsys.readouterr().out
    for line in shown_after_code(page).splitlines():
        assert doctest.OutputChecker().check_output(f"...{line}...", printed, doctest.ELLIPSIS), line


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_recipes_are_valid(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        if "study" not in yaml.safe_load(block.text):
            continue
        file = tmp_path / f"{number}.yaml"
        file.write_text(block.text, encoding="utf-8")
        for scale in scales_of(str(file)):
            load_recipe(str(file), scale)


@pytest.mark.parametrize("page", pages_with("console"))
def test_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    command = typer.main.get_command(app)
    for block in blocks(page, "console"):
        for line in re.findall(r"^\$ (.+)", block.text, re.MULTILINE):
            program, *arguments = shlex.split(line, comments=True)
            if program == "make":
                assert {word for word in arguments if "=" not in word} <= targets, line
            elif program == "secateurs":
                name, sub, rest = command.resolve_command(typer.Context(command), arguments)  # type: ignore[attr-defined]
                assert sub is not None, line
                sub.make_context(name, rest)  # raises on an option or argument that it does not have


@pytest.mark.parametrize("page", [pytest.param(p, id=str(p.relative_to(ROOT))) for p in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for found in _LINK.finditer(page.read_text(encoding="utf-8")):
        target = next(filter(None, found.groups())).partition("#")[0]
        if not target or re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve()
        if not str(path.relative_to(ROOT)).startswith(GENERATED):
            assert path.exists(), f"{page.relative_to(ROOT)}: {found[0]}"
