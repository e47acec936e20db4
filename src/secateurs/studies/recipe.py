"""The schema of recipes, and how a recipe is found, scaled, overridden and checked.

A recipe file holds ``study`` (the kind), what is ``common``, and ``scales`` (``paper``,
``small``, ``smoke``) that override it. All faults of a recipe are reported at once, each with
its dotted path, the choices and the nearest match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from secateurs.core import Moment, RecipeError, Spec, TrainingError, did_you_mean
from secateurs.procedures import PruneSettings
from secateurs.studies.faults import describe, lines
from secateurs.studies.parts import Part
from secateurs.train import Settings, TrainSettings
from secateurs.what import SCORES
from secateurs.when import SIGNALS, TRIGGERS, signal_of, trigger_of
from secateurs.zoo import DATASETS, MODELS

ModelPart = Annotated[Spec, Part(MODELS, given=("input_shape", "num_classes"))]
DataPart = Annotated[Spec, Part(DATASETS)]
ScorePart = Annotated[Spec, Part(SCORES, given=("model", "task", "batches", "names", "mask", "generator"))]
SignalPart = Annotated[Spec, Part(SIGNALS, build=signal_of)]
_BOUNDS = {"no_earlier_than": (str | int | None, None), "no_later_than": (str | int | None, None)}
TriggerPart = Annotated[Spec, Part(TRIGGERS, extra=_BOUNDS, build=trigger_of)]


class PruneRecipe(PruneSettings):
    """Pruning settings whose score is checked against the table of scores."""

    score: ScorePart = Field(Spec("magnitude"), validate_default=True)


class EarlyPeriods(Settings):
    """P0's study: a dense run watched by signals, pruned at many moments, every pruned run trained to the end."""

    study: Literal["early_periods"] = "early_periods"
    title: str
    figure: str = ""
    model: ModelPart
    data: DataPart
    train: TrainSettings
    prune: PruneRecipe = PruneRecipe()
    moments: tuple[str | int, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    signals: tuple[SignalPart, ...] = Field((Spec("fisher_trace"), Spec("kl_uniform")), validate_default=True)
    triggers: dict[str, TriggerPart] = Field({})
    checkpoint_every: int = Field(10, gt=0)
    threads: int = Field(1, gt=0)
    settings: dict[str, dict[str, Any]] = Field({})

    def each(self) -> dict[str, EarlyPeriods]:
        """The recipe of each setting by its label; a recipe without ``settings`` is its only one, under ``""``."""
        if not self.settings:
            return {"": self}
        base = self.model_dump(mode="json", exclude={"settings"})
        return {
            label: EarlyPeriods.model_validate(without_nulls(merge(base, change)))
            for label, change in self.settings.items()
        }

    @field_validator("moments", mode="before")
    @classmethod
    def _moments_are_moments(cls, moments: Any) -> Any:
        for moment in moments if isinstance(moments, Sequence) and not isinstance(moments, str) else ():
            if isinstance(moment, bool) or not isinstance(moment, str | int):
                raise ValueError(f"a moment is written 12, '12ep' or '500it', got {moment!r}")
            try:
                Moment.parse(moment, 1)
            except TrainingError as error:
                raise ValueError(str(error)) from error
        return moments

    @field_validator("moments", "seeds")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        unit = "ep" if info.field_name == "moments" else ""  # 12 and "12ep" are one moment
        if len({f"{value}{unit}" if isinstance(value, int) else value for value in values}) < len(values):
            raise ValueError(f"says something twice: {', '.join(map(str, values))}")
        return values

    @model_validator(mode="after")
    def _moments_inside_the_run(self) -> Self:
        for moment in self.moments:
            if "it" not in str(moment) and Moment.parse(moment, 1).steps > self.train.epochs:
                raise ValueError(f"moments: {moment} lies outside the run of {self.train.epochs} epochs")
        return self

    @model_validator(mode="after")
    def _settings_are_recipes(self) -> Self:
        base = self.model_dump(mode="json", exclude={"settings"})
        faults = []
        for label, change in self.settings.items():
            if "settings" in change:
                faults.append(f"settings.{label}: settings cannot hold settings")
                continue
            try:
                EarlyPeriods.model_validate(without_nulls(merge(base, change)))
            except ValidationError as error:
                faults += [f"settings.{label}.{line}" for line in lines(error, EarlyPeriods)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _signals_serve_the_triggers(self) -> Self:
        known = [signal_of(spec).name for spec in self.signals]
        if len(set(known)) < len(known):
            raise ValueError(f"signals: says something twice: {', '.join(known)}")
        layerwise = {signal_of(spec).name for spec in self.signals if spec.options.get("layerwise")}
        if "grid" in self.triggers:
            raise ValueError("triggers.grid: that is what the moments are called: give the trigger another name")
        for name, spec in self.triggers.items():
            for option in ("moment", "no_earlier_than", "no_later_than"):
                at = spec.options.get(option)
                if at is not None and "it" not in str(at) and Moment.parse(at, 1).steps > self.train.epochs:
                    raise ValueError(
                        f"triggers.{name}.{option}: {at} lies outside the run of {self.train.epochs} epochs"
                    )
            for signal in sorted(trigger_of(spec).needs):
                if signal in layerwise:
                    raise ValueError(f"triggers.{name}: signal {signal!r} has one value a layer, triggers read one")
                if signal not in known:
                    raise ValueError(f"triggers.{name}: needs signal {signal!r}{did_you_mean(signal, known)}")
        return self


STUDIES: dict[str, type[EarlyPeriods]] = {"early_periods": EarlyPeriods}
"""The only place where a name means a kind of study."""


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


def load_recipe(source: str, scale: str | None = None, overrides: Sequence[str] = ()) -> EarlyPeriods:
    """Read a recipe by shipped name or file path, at a scale, with ``key.path=value`` overrides.

    ``scale`` may be left out where the file has only one.

    Raises:
        RecipeError: naming file, path, choices and nearest match of everything that is wrong.

    >>> load_recipe("demo", "smoke", overrides=["train.lr=fast"])
    Traceback (most recent call last):
    ...
    secateurs.core.errors.RecipeError: recipe demo: train.lr: expected a number, got 'fast'
    """
    file = _file(source)
    if scale is None and len(file.scales) == 1:
        (scale,) = file.scales
    if scale not in file.scales:
        told = f"no scale {scale!r}" if scale else "say which scale"
        raise RecipeError(f"recipe {source}: {told}{did_you_mean(scale or '', file.scales)}")
    recipe = merge(file.common, file.scales[scale])
    chosen = parse_overrides(overrides, source)
    for label, change in (recipe.get("settings") or {}).items():
        for path in _common_paths(chosen, change or {}):
            raise RecipeError(
                f"recipe {source}: override {path}: the setting {label!r} says it too; override settings.{label}.{path}"
            )
    return check({"study": file.study, **without_nulls(merge(recipe, chosen))}, source)


def scales_of(source: str) -> tuple[str, ...]:
    """The scales that a recipe has.

    >>> scales_of("demo")
    ('demo', 'smoke')
    """
    return tuple(_file(source).scales)


def check(raw: Mapping[str, Any], source: str) -> EarlyPeriods:
    """Validate a plain mapping as a recipe.

    Raises:
        RecipeError: with one line per fault.
    """
    study = str(raw.get("study", "early_periods"))
    if study not in STUDIES:
        raise RecipeError(f"recipe {source}: study: unknown kind {study!r}{did_you_mean(study, STUDIES)}")
    kind = STUDIES[study]
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(describe(error, kind, source)) from None


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``, mapping by mapping; a mapping with another ``name`` replaces the one below.

    A null stays: :func:`without_nulls` takes its key away in the end, so that the default holds again.

    >>> merge({"train": {"lr": 1, "epochs": 2}}, {"train": {"lr": 3}})
    {'train': {'lr': 3, 'epochs': 2}}
    """
    merged = dict(base)
    for key, value in over.items():
        below: Any = merged.get(key)
        below = {"name": below} if isinstance(below, str) else below
        joins = isinstance(below, Mapping) and isinstance(value, Mapping)
        same = joins and value.get("name", below.get("name")) == below.get("name")
        merged[key] = merge(below, value) if same else value
    return merged


def without_nulls(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without the keys that were set to null.

    >>> without_nulls({"triggers": {"halfway": None, "early": {"name": "at"}}})
    {'triggers': {'early': {'name': 'at'}}}
    """
    kept = {key: value for key, value in raw.items() if value is not None}
    return {key: without_nulls(value) if isinstance(value, Mapping) else value for key, value in kept.items()}


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
        parsed: Any = _yaml(value, f"override {text!r}")
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
    scales = {name: merge(scale, file.scales.get(name, {})) for name, scale in base.scales.items()}
    added = {name: scale for name, scale in file.scales.items() if name not in scales}
    return RecipeFile(study=base.study, common=merge(base.common, file.common), scales={**scales, **added})


def _common_paths(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The dotted paths that both mappings set."""
    found = []
    for key in a.keys() & b.keys():
        both = isinstance(a[key], Mapping) and isinstance(b[key], Mapping)
        found += [f"{key}.{below}" for below in _common_paths(a[key], b[key])] if both else [key]
    return sorted(found)


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
    raw = _yaml(text, f"recipe {source}")
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {source}: expected a mapping of keys, found {type(raw).__name__}")
    return raw


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise RecipeError(f"{where}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None
