"""The recipe of one ticket, made from what a person says of it: network, data, density."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from secateurs.core import RecipeError, did_you_mean
from secateurs.how.density import exact
from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.recipe import check, parse_overrides
from secateurs.studies.runs import load_data
from secateurs.studies.schema import Tickets
from secateurs.train.frozen import readable_moment
from secateurs.zoo import DATASETS, MODELS

TICKET = "ticket"
"""What errors and folders call the recipe."""

OPEN = ("model", "data", "train", "prune", "threads", "checkpoint_every")
"""What may be overridden; the rest has options of its own."""

_ADAM = {"name": "adam", "fused": True}
_SHALLOW: dict[str, float] = {"lenet_300_100": 1.2e-3, "conv_2": 2e-4, "conv_4": 3e-4, "conv_6": 3e-4, "conv_8": 3e-4}
_CROPPED = ("cifar10", "cifar100", "tiny_imagenet", "image_folder", "imagenet")
_OPTIMIZERS = ("sgd", "adam", "adamw")
_NEAR = Fraction(1001, 1000)

MOST_LEVELS = 1000
"""Each level is a whole training."""


def ticket_recipe(
    model: str,
    data: str,
    density: float,
    *,
    rate: float = 0.2,
    one_shot: bool = False,
    rewind: str | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    overrides: Sequence[str] = (),
) -> Tickets:
    """The study of one ticket with one seed: the dense network, and the levels down to ``density``.

    Args:
        model, data: names of the zoo; their options are among the overrides.
        density: kept / total over prunable weights, in (0, 1).
        rate, one_shot: see :func:`densities_to`.
        rewind: k as a person writes it, also as a share of the run, ``"5%"``; None: 0 for LeNet-300-100 and the Conv
            networks, and a twentieth of the run for others, which are stable to SGD noise only after some training
            (P2, chapter 4).
        exclude: layers that are not pruned, beside those that ``prune.exclude`` among the overrides names.
        overrides: ``["train.epochs=5", "data.folder=here"]``, of :data:`OPEN`.

    Raises:
        RecipeError: naming all that is wrong, with the nearest match of an unknown name.
        DataError: when ``rewind`` is a share of the run, whose steps follow from data that cannot be had.

    >>> recipe = ticket_recipe("lenet_300_100", "digits", 0.3)
    >>> recipe.densities, recipe.rewind, recipe.train.lr
    ((0.8, 0.64, 0.512, 0.4096, 0.32768, 0.3), (0,), 0.0012)
    """
    for what, name, known in (("network", model, MODELS), ("data set", data, DATASETS)):
        if name not in known:
            raise RecipeError(f"{TICKET}: no {what} is named {name!r}{did_you_mean(name, known)}")
    chosen = parse_overrides(overrides, TICKET)
    for key in chosen:
        if key not in OPEN:
            raise RecipeError(f"recipe {TICKET}: override {key}: is not open to overrides{did_you_mean(key, OPEN)}")
    said = without_nulls(merge({"model": {"name": model}, "data": {"name": data}}, chosen))
    for key, what, name in (("model", "network", model), ("data", "data set", data)):
        if not isinstance(said.get(key), Mapping) or said[key].get("name") != name:
            raise RecipeError(f"recipe {TICKET}: {key}: the {what} is {name}: name another one in its place")
    train, prune = said.get("train", {}), said.get("prune", {})
    if isinstance(train, Mapping):
        train = merge(own_training(model, data, train, TICKET), train)
    if exclude and isinstance(prune, Mapping):
        there = prune.get("exclude", [])
        if isinstance(there, list):
            prune = {**prune, "exclude": [*there, *(layer for layer in dict.fromkeys(exclude) if layer not in there)]}
    name = "one-shot IMP" if one_shot else "IMP"
    raw = {
        "study": "tickets",
        "title": f"A ticket: {model} on {data}, {density:.4g} of the weights",
        "checkpoint_every": train.get("epochs", 1) if isinstance(train, Mapping) else 1,
        **said,
        "train": train,
        "prune": prune,
        "seeds": [seed],
        "densities": densities_to(density, rate, one_shot=one_shot),
        "tickets": {name: {"search": "one_shot"} if one_shot else {}},
    }
    recipe = _checked(raw)
    moment = _moment(rewind if rewind is not None else "0" if model in _SHALLOW else "5%", recipe)
    return recipe if moment == 0 else _checked({**raw, "rewind": [moment]})


def densities_to(density: float, rate: float = 0.2, *, one_shot: bool = False) -> list[float]:
    """What levels 1, 2, ... keep: (1 - rate)^level as long as that is more than ``density``, and last ``density``.

    A level that would keep less than a thousandth more than the last is left out. With ``one_shot`` there is
    the last alone.

    Raises:
        RecipeError: when ``density`` or ``rate`` lies outside (0, 1), or there would be more than 1,000 levels.

    >>> densities_to(0.5), densities_to(0.64), densities_to(0.5, one_shot=True)
    ([0.8, 0.64, 0.512, 0.5], [0.8, 0.64], [0.5])
    """
    for option, value, meaning in (("density", density, "kept"), ("rate", rate, "dropped at each level")):
        if not 0 < value < 1:
            raise RecipeError(
                f"--{option}: {value:g} lies outside (0, 1): it is the share of weights that is {meaning}, such as 0.2"
            )
    levels = 1 if one_shot else math.log(density) / math.log1p(-rate)
    if levels > MOST_LEVELS:
        raise RecipeError(
            f"--rate: {rate:g} drops so little that density {density:g} takes {levels:.4g} levels: say more, such as "
            f"0.2, or --one-shot; {MOST_LEVELS:,} levels are the most"
        )
    factor, last, found = 1 - exact(rate), exact(density), [Fraction(1)]
    while not one_shot and found[-1] * factor > last * _NEAR:
        found.append(found[-1] * factor)
    return [*map(float, found[1:]), density]


def training(model: str, data: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """How a network of the zoo is trained unless something else is said, after P2's settings, in fewer epochs.

    LeNet-300-100 and the Conv networks: Adam in batches of 60 at a constant rate. Others: SGD with momentum at 0.1 in
    batches of 128, the rate divided by ten at 1/2 and 3/4 of the run, with flips and crops where P2 has them.

    Args:
        said: what is said instead; milestones follow its epochs.
    """
    if model in _SHALLOW:
        adam = dict(_ADAM)
        return {"epochs": 20, "batch_size": 60, "lr": _SHALLOW[model], "optimizer": adam, "schedule": "constant"}
    epochs = said.get("epochs", 60)
    half = [max(1, epochs * quarters // 4) for quarters in (2, 3)] if isinstance(epochs, int) else [1, 2]
    half = list(dict.fromkeys(half))  # one epoch, or two, are not halved twice
    return {
        "epochs": 60,
        "batch_size": 128,
        "lr": 0.1,
        "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-4},
        "schedule": {"name": "step", "milestones": half, "gamma": 0.1},
        "augment": "flip_crop" if data in _CROPPED else "none",
    }


def own_training(model: str, data: str, said: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """:func:`training`; its learning rate is its optimiser's.

    Args:
        recipe: what errors call it.

    Raises:
        RecipeError: when another optimiser is said, and no rate.
    """
    usual = training(model, data, said)
    optimizer, own = said.get("optimizer"), usual["optimizer"]["name"]
    name = optimizer.get("name", own) if isinstance(optimizer, Mapping) else optimizer
    if isinstance(name, str) and name in _OPTIMIZERS and name != own and "lr" not in said:
        raise RecipeError(
            f"recipe {recipe}: train.optimizer: {name}: the learning rate {usual['lr']:g} is meant for {own}: say "
            "train.lr, too"
        )
    return usual


def _checked(raw: Mapping[str, Any]) -> Tickets:
    recipe = check(raw, TICKET)
    if not isinstance(recipe, Tickets):
        raise RecipeError(f"recipe {TICKET}: study: is always tickets")
    return recipe


def _moment(text: str, recipe: Tickets) -> str | int:
    """The moment to rewind to; a share of the run in steps, rounded down."""
    share = re.fullmatch(r"(\d+(?:\.\d+)?)%", text.strip())
    if share is not None:
        if Fraction(share[1]) >= 100:
            raise RecipeError(f"--rewind: {text} leaves nothing of the run to train: say less than 100%")
        steps = recipe.train.epochs * recipe.train.steps_per_epoch(load_data(recipe.data).train)
        whole = int(Fraction(share[1]) / 100 * steps)
        return f"{whole}it" if whole else 0
    moment: str | int = int(text) if text.strip().isdecimal() else text.strip()
    try:
        readable_moment(moment)
    except ValueError as error:
        raise RecipeError(f"--rewind: {error}, or as a share of the run, '5%'") from None
    return moment
