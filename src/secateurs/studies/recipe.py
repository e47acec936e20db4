"""How a recipe is found, scaled, overridden and checked.

A recipe file holds ``study`` (the kind), what is ``common``, and ``scales`` (``paper``,
``small``, ``smoke``) that override it. All faults of a recipe are reported at once, each with
its dotted path, the choices and the nearest match.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from secateurs.core import RecipeError, did_you_mean
from secateurs.studies.faults import describe
from secateurs.studies.kinds import STUDIES
from secateurs.studies.merging import common_paths, merge, without_nulls
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.yaml_text import read_yaml
from secateurs.train import Settings


class RecipeFile(Settings):
    """A recipe as it stands in a file: what is common, and the scales that override it.

    ``base`` names a shipped recipe that this one is laid on: only what differs need be said.
    """

    study: str = "early_periods"
    base: str | None = None
    common: dict[str, Any] = Field({})
    scales: dict[Annotated[str, Field(pattern="^[a-z]+$")], dict[str, Any]] = Field({})


def shipped() -> dict[str, Path]:
    """The recipes that come with the package, by name: ``p0/fig1a`` -> file."""
    root = Path(str(resources.files("secateurs.studies"))) / "recipes"
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob("*.yaml"))}


def load_recipe(source: str, scale: str | None = None, overrides: Sequence[str] = ()) -> StudyRecipe:
    """Read a recipe by shipped name or file path, at a scale, with ``key.path=value`` overrides.

    ``scale`` may be left out where the file has only one.

    Raises:
        RecipeError: naming file, path, choices and nearest match of everything that is wrong.

    >>> load_recipe("demo", "smoke", overrides=["train.lr=fast"])
    Traceback (most recent call last):
    ...
    secateurs.core.errors.RecipeError: recipe demo: train.lr: expected a number, got 'fast'
    """
    return check(read_recipe(source, scale, overrides), source)


def read_recipe(source: str, scale: str | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe as a plain mapping with its scale and overrides laid on: what :func:`load_recipe` checks.

    Raises:
        RecipeError: when it cannot be read, has no such scale, or an override would be lost.

    >>> read_recipe("demo", "smoke", ["train.lr=fast"])["train"]["lr"]
    'fast'
    """
    file = _file(source)
    if scale is None and len(file.scales) == 1:
        (scale,) = file.scales
    if scale not in file.scales:
        if not file.scales:
            raise RecipeError(f"recipe {source}: scales: has none; put at least one there, e.g. small: {{}}")
        told = f"no scale {scale!r}" if scale else "say which scale"
        raise RecipeError(f"recipe {source}: {told}{did_you_mean(scale or '', file.scales)}")
    recipe = merge(file.common, file.scales[scale])
    chosen = parse_overrides(overrides, source)
    schema = STUDIES[file.study].schema
    if faults := list(_without_effect(chosen, recipe, schema)):
        raise RecipeError("\n".join(f"recipe {source}: override {fault}" for fault in faults))
    return {"study": file.study, **without_nulls(merge(recipe, chosen), ("settings", *schema.laid))}


def _without_effect(chosen: Mapping[str, Any], recipe: Mapping[str, Any], schema: type[StudyRecipe]) -> Iterator[str]:
    """Overrides that would be lost, because what is laid on them says the same keys, with what to override instead."""
    hidden: dict[str, list[str]] = {}
    for label, change in _changes(recipe, "settings").items():
        for path in common_paths(chosen, change):
            hidden.setdefault(path, []).append(label)
    for path, labels in hidden.items():
        who = f"the setting {labels[0]!r} says" if len(labels) == 1 else f"{len(labels)} settings say"
        instead = " ".join(shlex.quote(f"settings.{label}.{path}=...") for label in labels)
        yield f"{path}: {who} it too; override {instead}"
    for field, base in schema.laid.items():
        below = chosen.get(base)
        said = [common_paths(below if isinstance(below, Mapping) else {}, c) for c in _changes(recipe, field).values()]
        for path in sorted(set.intersection(*map(set, said))) if said else ():
            yield f"{base}.{path}: each of the {field} says it too; override {field}.NAME.{path}"


def _changes(recipe: Mapping[str, Any], field: str) -> dict[str, Mapping[str, Any]]:
    """The changes by label in a recipe that is not checked yet."""
    changes = recipe.get(field)
    changes = changes if isinstance(changes, Mapping) else {}
    return {label: change for label, change in changes.items() if isinstance(change, Mapping)}


def scales_of(source: str) -> tuple[str, ...]:
    """The scales that a recipe has.

    >>> scales_of("demo")
    ('demo', 'smoke')
    """
    return tuple(_file(source).scales)


def triggers_of(source: str, scale: str | None = None) -> tuple[str, ...]:
    """The names of the triggers that a recipe has at a scale; none where it can have none.

    >>> triggers_of("demo", "smoke")
    ('peak of tr(F)', 'peak of KL-uniform', 'halfway')
    """
    file = _file(source)
    triggers = merge(file.common, file.scales.get(scale or "", {})).get("triggers")
    return tuple(triggers) if isinstance(triggers, Mapping) else ()


def check(raw: Mapping[str, Any], source: str) -> StudyRecipe:
    """Validate a plain mapping as a recipe.

    Raises:
        RecipeError: with one line per fault.
    """
    study = str(raw.get("study", "early_periods"))
    if study not in STUDIES:
        raise RecipeError(f"recipe {source}: study: unknown kind {study!r}{did_you_mean(study, STUDIES)}")
    kind = STUDIES[study].schema
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(describe(error, kind, source)) from None


def parse_overrides(overrides: Sequence[str], source: str) -> dict[str, Any]:
    """``["train.lr=0.3"]`` as a nested mapping; values are read as YAML.

    >>> parse_overrides(["train.lr=0.3", "seeds=[0, 1]"], "demo")
    {'train': {'lr': 0.3}, 'seeds': [0, 1]}
    """
    nested: dict[str, Any] = {}
    for text in overrides:
        path, separator, value = text.partition("=")
        keys = path.strip().split(".")
        if not separator or not all(keys):
            raise RecipeError(f"recipe {source}: override {text!r} is not of the form key.path=value")
        parsed: Any = read_yaml(value, f"override {text!r}")
        for key in reversed(keys):
            parsed = {key: parsed}
        nested = merge(nested, parsed)
    return nested


def _file(source: str, above: tuple[str, ...] = ()) -> RecipeFile:
    try:
        file = RecipeFile.model_validate(_read(_find(source), source))
    except ValidationError as error:
        raise RecipeError(describe(error, RecipeFile, source)) from None
    if file.study not in STUDIES:
        raise RecipeError(f"recipe {source}: study: unknown kind {file.study!r}{did_you_mean(file.study, STUDIES)}")
    if file.base is None:
        return file
    if file.base in (*above, source):
        raise RecipeError(f"recipe {source}: base: {' -> '.join((*above, source, file.base))} goes round in a circle")
    if file.base not in shipped():
        raise RecipeError(f"recipe {source}: base: no shipped recipe {file.base!r}{did_you_mean(file.base, shipped())}")
    base = _file(file.base, (*above, source))
    if "study" in file.model_fields_set and file.study != base.study:
        raise RecipeError(f"recipe {source}: study: {file.study!r}, but its base {file.base!r} is a {base.study!r}")
    scales = {name: merge(scale, file.scales.get(name, {})) for name, scale in base.scales.items()}
    added = {name: scale for name, scale in file.scales.items() if name not in scales}
    return RecipeFile(study=base.study, common=merge(base.common, file.common), scales={**scales, **added})


def _find(source: str) -> Path:
    known = shipped()
    if source in known:
        return known[source]
    path = Path(source)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml"):
        raise RecipeError(f"recipe {source}: there is no such file")
    raise RecipeError(f"recipe {source!r} is neither a shipped recipe nor a file{did_you_mean(source, known)}")


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {source}: cannot be read: {error}") from None
    raw = read_yaml(text, f"recipe {source}")
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {source}: expected a mapping of keys, found {type(raw).__name__}")
    return raw
