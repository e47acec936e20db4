"""Sphinx configuration: ``make docs``."""

from __future__ import annotations

import importlib
import pkgutil
import re
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import secateurs

project = "secateurs"
author = "The secateurs authors"
copyright = "The secateurs authors"
release = version = version_of("secateurs")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"secateurs {release}"

myst_heading_anchors = 3

autodoc_member_order = "bysource"
suppress_warnings = ["ref.python"]  # fields named as builtins are (bytes): a type is no reference to one of them
autodoc_default_options = {"exclude-members": "model_config"}
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False  # torch's own refer to labels of torch's documentation
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
# Fields under "Attributes:" are told in a list, not as entries beside the class's own, nor as links to namesakes.
napoleon_custom_sections = [("Attributes", "params_style")]

# Where an extra is not installed, its classes stand in the signatures by name only.
autodoc_mock_imports = [extra for extra in ("lightning", "transformers") if find_spec(extra) is None]

ROOMS = ["core", "zoo", "what", "how", "when", "measure"]
ROOMS += ["pruner", "integrations", "export", "train", "procedures", "jobs", "studies", "report", "papers", "cli"]


def write_reference(app: Sphinx) -> None:
    """One page for each room, one section for each of its modules: nothing is left out, nothing is listed by hand."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    index = ["# Reference", "", "From the docstrings. What most people need is in `secateurs` itself:", ""]
    index += [
        automodule("secateurs"),
        "",
        *exported(),
        "",
        "## Rooms",
        "",
        "```{toctree}",
        ":maxdepth: 2",
        "",
        *ROOMS,
        "```",
        "",
    ]
    pages = {"index": "\n".join(index)} | {room: page(room) for room in ROOMS}
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(room: str) -> str:
    """The room's docstring, then its modules."""
    name = f"secateurs.{room}"
    package = importlib.import_module(name)
    if not hasattr(package, "__path__"):
        return f"# {name}\n\n{automodule(name, 'members')}\n"
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, f"{name}.")]
    # A package inside a room re-exports what its own modules describe.
    sections = [f"## {module}\n\n{automodule(module, 'members', 'ignore-module-all')}\n" for module in modules]
    return "\n".join([f"# {name}\n\n{automodule(name)}\n", *sections])


def exported() -> list[str]:
    """The names that ``secateurs`` re-exports, each linked to where it is defined."""
    found = {name: getattr(secateurs, name) for name in secateurs.__all__}
    lines = []
    for name, value in found.items():
        module = getattr(value, "__module__", None)
        if isinstance(module, str) and module.startswith("secateurs.") and hasattr(value, "__qualname__"):
            lines.append(f"- {{py:obj}}`{name} <{module}.{name}>`")
        else:
            lines.append(f"- `{name}`")
    return lines


def automodule(name: str, *options: str) -> str:
    """The directive, inside Markdown."""
    return "\n".join(["```{eval-rst}", f".. automodule:: {name}", *(f"   :{option}:" for option in options), "```"])


def readable(*event: Any) -> tuple[str | None, str | None]:
    """Leave out of a signature how pydantic reads a field: what may stand there is told in words."""
    signature, returned = event[-2:]
    if signature:
        signature = re.sub(r", (~[\w.]*Validator\([^()]*\)|<[^<>]* object at 0x[0-9a-f]+>)", "", signature)
        signature = re.sub(r"~[\w.]*Annotated\[([^\[\],]+)\]", r"\1", signature)
    return signature, returned


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-signature", readable)
