"""The recipe of an advice, made from what a person asks: of a recipe, of a study that was run, of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.core import RecipeError, did_you_mean
from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.recipe import check, parse_overrides, read_recipe
from secateurs.studies.schema.advice import ALPHA, RESAMPLES, Advice, Given
from secateurs.studies.tickets.recipe import own_training
from secateurs.zoo import DATASETS, MODELS

ADVICE = "advise"
"""What errors call the recipe."""

OPEN = ("model", "data", "train", "prune", "retrain", "threshold", "similar_from", "threads", "checkpoint_every")
"""What may be overridden; the rest has options of its own."""

COMPARED = ("points", "samples", "outputs")
"""What an advice takes from how a study of regimes compares copies."""

_FIELDS = {
    "batch_size": "train.batch_size",
    "lr": "train.lr",
    "rho": "train.sam",
    "width": "model.width",
    "depth": "model.depth",
}
_TRAINED = ("model", "data", "train")
_TAKEN = (*_TRAINED, "seeds", "threads", "checkpoint_every")
_OF_REGIMES = ("retrain", "threshold", "similar_from")


@dataclass(frozen=True)
class Question:
    """What is asked, whatever of.

    Attributes:
        density: kept / total over the prunable weights.
        at: epochs of dense training to look at; its end where there is none.
        seeds: how many dense networks are trained or taken; None: one of a recipe, all that are there of a study.
        copies, epochs: how many are retrained of each, and how long, as a moment.
        setting: which of a recipe's settings.
        overrides: ``["train.epochs=5"]``, of :data:`OPEN`.
    """

    density: float
    at: tuple[int, ...] = ()
    seeds: int | None = None
    copies: int = 2
    epochs: str | int = ALPHA
    setting: str | None = None
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise RecipeError(
                f"--density: {self.density:g} lies outside (0, 1]: it is the share of weights that is kept, such as 0.1"
            )
        for epoch in self.at:
            if epoch < 1:
                raise RecipeError(f"--at: {epoch} is before any training: say an epoch from 1 on")


def advice_on_recipe(source: str, scale: str | None, asked: Question) -> Advice:
    """The advice on a network that a recipe of any kind trains: its model, data and training are taken from it.

    Pruned is by magnitude with one density for every layer (P4's UniformMP), unless overrides say otherwise, and but
    for the layers that the recipe excludes; a recipe of regimes also says its own pruning, retraining, comparisons and
    thresholds.

    Raises:
        RecipeError: naming all that is wrong; when a recipe of regimes varies something else than stopping epochs and
            densities, and the overrides do not say which of its networks is meant.

    >>> recipe = advice_on_recipe("demo", "smoke", Question(0.2, seeds=2))
    >>> recipe.model.name, recipe.train.epochs, recipe.seeds, recipe.prune.scope, recipe.density
    ('digits_resnet', 4, (0, 1), 'layer', 0.2)
    """
    raw = _of_one_setting(read_recipe(source, scale), source, asked.setting)
    taken = {name: raw[name] for name in _TAKEN if name in raw}
    if raw["study"] == "regimes":
        taken |= {name: raw[name] for name in (*_OF_REGIMES, "prune") if name in raw}
        taken |= _of_the_network_meant(raw, source, _chosen(asked.overrides, source))
        compare = raw.get("compare")
        if isinstance(compare, Mapping):
            taken["compare"] = {name: compare[name] for name in COMPARED if name in compare}
    elif isinstance(raw.get("prune"), Mapping) and raw["prune"].get("exclude"):
        taken["prune"] = {"exclude": raw["prune"]["exclude"]}
    return _advice(taken, asked, source)


def advice_on_networks(
    networks: Mapping[str, Sequence[Given]], base: Mapping[str, Any], asked: Question, source: str
) -> Advice:
    """The advice on dense networks that are there.

    Args:
        networks: by what they are called; of each seed one. Without any they would be trained.
        base: ``model``, ``data``, ``train`` and what else a recipe says of them.
        source: what errors call it.

    Raises:
        RecipeError: naming all that is wrong.
    """
    seeds = sorted({each.seed for own in networks.values() for each in own}) or list(base["seeds"])
    given = {name: [each.model_dump(mode="json") for each in own] for name, own in networks.items()}
    return _advice({**base, "seeds": seeds, "networks": given}, asked, source)


def _of_the_network_meant(raw: Mapping[str, Any], source: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """How the one network that overrides name of a recipe of regimes is trained, and retrained.

    Raises:
        RecipeError: when they do not name it.
    """
    taken: dict[str, Any] = {}
    for axis, usual in (("temperature", "epochs"), ("load", "density")):
        varied = raw.get(axis)
        name = varied.get("name", usual) if isinstance(varied, Mapping) else usual
        if name not in _FIELDS or not isinstance(varied, Mapping):
            continue
        part, field = _FIELDS[name].split(".")
        own = chosen.get(part)
        needed = [_FIELDS[name], *(["train.epochs"] if name == "batch_size" else [])]
        if not isinstance(own, Mapping) or field not in own or (name == "batch_size" and "epochs" not in own):
            steps = f" ({varied.get('iterations')} steps)" if name == "batch_size" else ""
            raise RecipeError(
                f"recipe {source}: {axis}: varies {name}: say which network is meant, with "
                f"{' and '.join(f'{each}=...' for each in needed)}{steps}, or run the recipe and name its folder"
            )
        if axis == "temperature" and isinstance(raw.get("train"), Mapping):
            usually = {key: value for key, value in raw["train"].items() if key != "sam"}
            taken["retrain"] = raw.get("retrain") or usually
            if name == "batch_size":
                taken["train"] = {**raw["train"], "drop_last": True}
    return taken


def trained_as_said(recipe: str | None, scale: str | None, asked: Question) -> dict[str, Any]:
    """What checkpoints are of and how they are retrained: as a recipe says, or as the overrides do.

    Without a recipe the overrides name model and data; training is then that of ``secateurs ticket``, unless they
    say something else.

    Raises:
        RecipeError: when neither says it.
    """
    if recipe is not None:
        advice = advice_on_recipe(recipe, scale, asked)
        return advice.model_dump(mode="json", include={*_TAKEN, "prune", *_OF_REGIMES, "compare"})
    said = _chosen(asked.overrides, ADVICE)
    names = {key: each.get("name") if isinstance(each := said.get(key), Mapping) else each for key in ("model", "data")}
    for key, what, known in (("model", "network", MODELS), ("data", "data set", DATASETS)):
        name = names[key]
        if name is None:
            raise RecipeError(
                f"{ADVICE}: of which {what} are these checkpoints? Say --recipe NAME, whose {key} counts, or {key}=NAME"
            )
        if name not in known:
            raise RecipeError(f"{ADVICE}: no {what} is named {name!r}{did_you_mean(str(name), known)}")
    train = said.get("train", {})
    usual = own_training(str(names["model"]), str(names["data"]), train, ADVICE) if isinstance(train, Mapping) else {}
    return {"model": {"name": names["model"]}, "data": {"name": names["data"]}, "train": usual, "seeds": [0]}


def _advice(taken: Mapping[str, Any], asked: Question, source: str) -> Advice:
    said = without_nulls(merge(taken, _chosen(asked.overrides, source)))
    for field in _TRAINED:
        if field not in said:
            raise RecipeError(f"recipe {source}: says no {field}: add it: {field}=..., or name another recipe")
    if asked.seeds is not None:
        said["seeds"] = _so_many(said.get("seeds", [0]), asked.seeds)
    elif not said.get("networks"):
        said["seeds"] = list(said.get("seeds") or [0])[:1]
    epochs = asked.epochs
    raw = {
        "checkpoint_every": 1,
        **said,
        "study": "advice",
        "title": f"Advice: {_name(said['model'])} on {_name(said['data'])}, {100 * asked.density:.4g} % of the weights",
        "density": asked.density,
        "at": list(asked.at),
        "copies": asked.copies,
        "compare": {
            **said.get("compare", {}),
            "ends": False,
            "probe": int(epochs) if str(epochs).isdecimal() else epochs,
            "resamples": RESAMPLES,
        },
    }
    try:
        recipe = check(raw, source)
    except RecipeError as error:
        raise RecipeError(str(error).replace(f"recipe {source}: compare.probe: ", "--epochs: ")) from error
    if not isinstance(recipe, Advice):
        raise RecipeError(f"recipe {source}: study: is always advice")
    return recipe


def _chosen(overrides: Sequence[str], source: str) -> dict[str, Any]:
    chosen = parse_overrides(overrides, source)
    for key in chosen:
        if key not in OPEN:
            raise RecipeError(f"recipe {source}: override {key}: is not open to overrides{did_you_mean(key, OPEN)}")
    return chosen


def _of_one_setting(raw: Mapping[str, Any], source: str, setting: str | None) -> dict[str, Any]:
    """The recipe of the setting that is named; without a name, where all settings train the same network."""
    changes = raw.get("settings") or {}
    if not isinstance(changes, Mapping) or not changes:
        if setting is not None:
            raise RecipeError(f"recipe {source}: --setting: it has no settings: leave --setting out")
        return dict(raw)
    each = {label: without_nulls(merge(raw, change)) for label, change in changes.items()}
    if setting is not None:
        if setting not in each:
            raise RecipeError(f"recipe {source}: --setting: no setting {setting!r}{did_you_mean(setting, each)}")
        return each[setting]
    first, *others = each.values()
    if any(other.get(name) != first.get(name) for other in others for name in _TRAINED):
        raise RecipeError(
            f"recipe {source}: its settings train different networks: name one with --setting{did_you_mean('', each)}"
        )
    return first


def _so_many(seeds: Sequence[int], count: int) -> list[int]:
    """So many seeds: the recipe's, then others.

    >>> _so_many([3, 1], 4), _so_many([3, 1], 1)
    ([3, 1, 0, 2], [3])
    """
    found = list(seeds)[:count]
    other = 0
    while len(found) < count:
        if other not in found:
            found.append(other)
        other += 1
    return found


def _name(part: Any) -> str:
    return str(part.get("name") if isinstance(part, Mapping) else part)
