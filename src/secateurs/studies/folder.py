"""The folder of a study: its recipe as it was resolved, its store of results, its report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from secateurs.core import RecipeError, StoreError
from secateurs.jobs import Job, Store
from secateurs.jobs.files import replace, writing
from secateurs.studies.extending import Difference, differences
from secateurs.studies.recipe import check
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.store_users import register
from secateurs.studies.sweep import Sweep

RECIPE = "recipe.yaml"
OWN_STORE = "store"
"""A study's store, unless it shares one."""

_SHOWN = 12  # differences that are told one by one


@dataclass(frozen=True)
class Ordered:
    """What was ordered: the resolved recipe, its name, the kind of device, the command, the store's folder.

    A store of None is the one that the study in the folder has; a new study's is its own.
    """

    recipe: StudyRecipe
    name: str
    device: str
    command: str
    store: str | None = None


class StudyFolder:
    """``<root>/recipe.yaml``, a store (``<root>/store`` unless it is shared), and what the report writes.

    Args:
        root: the folder of a study that was run.

    Raises:
        StoreError: when there is no study, or something else, in the folder.
        RecipeError: when its recipe cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / RECIPE).is_file():
            raise StoreError(f"{root}: there is no study here (no {RECIPE}); name the folder that a run wrote into")
        ordered = self.ordered()
        place = root / (ordered.store or OWN_STORE)
        if not place.exists():
            raise StoreError(
                f"{place}: there is no store of the study in {root} any more, or none yet: run its command again, "
                f"with --store where its results lie elsewhere now: {ordered.command}"
            )
        self.store = Store(place, create=False)

    @property
    def shares_its_store(self) -> bool:
        """Whether the store lies elsewhere, and other studies may use it."""
        return self.ordered().store != OWN_STORE

    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the study, with those that finished ones asked for.

        Raises:
            StoreError: when not one of them was begun though the store holds finished results.
        """
        ordered = self.ordered()
        jobs = Sweep(ordered.recipe, ordered.device).jobs(self.store)
        finished = [entry for entry in self.store.entries() if entry.done]
        if finished and not any((self.store.root / job.key).exists() for job in jobs):
            raise StoreError(
                f"{self.store.root}: none of its {len(finished)} finished results belongs to the study in {self.root} "
                f"as it is planned now, for device {ordered.device}: they are another study's, or another version of "
                "secateurs or other data gave them, or this study's were removed; run its command again to have them"
            )
        return jobs

    @classmethod
    def create(cls, root: Path, ordered: Ordered) -> StudyFolder:
        """Make the folder, or go on with the one that is there, and write down what is ordered.

        A study may be run again with a recipe that extends it: what was there stays, and more is added. So may one
        whose ``recipe.yaml`` was damaged, where its store lies beside it.

        Raises:
            StoreError: when something else is in the folder, a study of other settings or with another store, or it
                cannot be written.
        """
        path = root / RECIPE
        saved = _saved(path)
        if saved is None and path.exists():
            _put_aside(path)
        place = _place(root, saved, ordered)
        if saved is not None:
            _check_extends(root, ordered, place)
        if (root / place).exists():
            Store(root / place)  # says so where it is something else
        content = {
            "name": ordered.name,
            "device": ordered.device,
            "command": ordered.command,
            "store": place,
            "recipe": ordered.recipe.model_dump(mode="json"),
        }
        text = yaml.safe_dump(content, sort_keys=False)
        with writing(root):
            root.mkdir(parents=True, exist_ok=True)
        replace(path, lambda draft: draft.write_text(text, encoding="utf-8"))
        with writing(path):
            path.with_suffix(".yaml.new").unlink(missing_ok=True)  # what an older version left when it was killed
        register(Store(root / place), root)
        return cls(root)

    def ordered(self) -> Ordered:
        """What the study in this folder is.

        Raises:
            RecipeError: when the file was damaged or written by another version.
        """
        return _ordered(self.root / RECIPE)


def name_in(root: Path) -> str | None:
    """What the study in a folder is called; None where there is none, or its recipe was damaged."""
    saved = _saved(root / RECIPE)
    return None if saved is None else str(saved["name"])


def ordered_in(root: Path) -> Ordered | None:
    """What the study in a folder is; None where there is none, or its recipe cannot be read by this version."""
    try:
        return _ordered(root / RECIPE)
    except RecipeError:
        return None


def _ordered(path: Path) -> Ordered:
    try:
        saved: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        content = dict(saved["recipe"])
        name, device, command, store = (str(saved[key]) for key in ("name", "device", "command", "store"))
    except KeyError as error:
        raise RecipeError(
            f"{path}: has no {error}; it was damaged, or written by another version: run the recipe again into "
            "another folder"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
        raise RecipeError(
            f"{path}: cannot be read ({error}); run the study's command again: finished results are kept"
        ) from error
    return Ordered(check(content, str(path)), name, device, command, store)


def _place(root: Path, saved: dict[str, Any] | None, ordered: Ordered) -> str:
    """Where the results are to be: the store that is asked for, or that of the study in the folder.

    Raises:
        StoreError: when these are two, or the one that is not asked for is gone.
    """
    there = None if saved is None or "store" not in saved else str(saved["store"])
    if there is None:
        return ordered.store or OWN_STORE
    if ordered.store is None:
        if there != OWN_STORE and not (root / there).exists():
            raise StoreError(
                f"{root}: the store of its study, {there}, is gone: say with --store where it lies now, or name "
                "another folder with --out"
            )
        return there
    if (root / there).resolve() == (root / ordered.store).resolve():
        return there
    if not (root / there).exists():
        return ordered.store  # it was moved
    raise StoreError(
        f"{root}: holds a study that has another store, and would be trained again:"
        f"\n  {Difference('store', str(root / there), ordered.store)}"
        "\nleave --store out to go on with it, or run into another folder with --out"
    )


def _check_extends(root: Path, ordered: Ordered, place: str) -> None:
    """See that what is ordered is the study in a folder, or an extension of it."""
    there = ordered_in(root)
    if there is None:
        return  # of another version: the new one takes its place; results have their own names
    found = differences(there.recipe, ordered.recipe)
    if there.device != ordered.device:
        found = [Difference("device", there.device, ordered.device), *found]
    if _short(there.name) != _short(ordered.name):
        found = [Difference("recipe", there.name, ordered.name), *found]
    if found:
        more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        lines = "".join(f"\n  {each}" for each in found[:_SHOWN])
        shared = f"; --store {shlex.quote(str(root / place))} shares the results that are the same"
        raise StoreError(
            f"{root}: holds a study of other settings, which this one would take the place of:{lines}{more}\n"
            f"run it into another folder with --out{shared if there.device == ordered.device else ''}"
        )


def _short(name: str) -> str:
    """A recipe's name and scale, wherever its file lies."""
    return name.rsplit("/", 1)[-1]


def _saved(path: Path) -> dict[str, Any] | None:
    """What a study wrote; None where there is nothing, or something else."""
    try:
        saved: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return saved if isinstance(saved, dict) and {"name", "command", "recipe"} <= saved.keys() else None


def _put_aside(path: Path) -> None:
    """Make way for a recipe where there is a damaged one: empty, or beside a study's own store.

    Raises:
        StoreError: when it may be somebody's own file.
    """
    with writing(path):
        empty = path.is_file() and not path.read_bytes().strip(b"\0\r\n\t ")
        if not empty:
            if not (path.parent / OWN_STORE / "store.json").exists():
                raise StoreError(
                    f"{path}: is a file of yours, not of a study, or was damaged: name another folder with --out, or "
                    "move it away"
                )
            path.replace(path.with_name(f"{RECIPE}.damaged"))
