"""The folder of a study: its recipe as it was resolved, its store of results, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from secateurs.core import RecipeError, StoreError
from secateurs.jobs import Job, Store
from secateurs.studies.extending import Difference, differences
from secateurs.studies.recipe import check
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.sweep import Sweep

_RECIPE = "recipe.yaml"
_SHOWN = 12  # differences that are told one by one


@dataclass(frozen=True)
class Ordered:
    """What was ordered: the resolved recipe, its name, the kind of device, the command, the store's folder."""

    recipe: StudyRecipe
    name: str
    device: str
    command: str
    store: str = "store"


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
        if not (root / _RECIPE).is_file():
            raise StoreError(f"{root}: there is no study here (no {_RECIPE}); name the folder that a run wrote into")
        self.store = Store(root / self.ordered().store, create=False)

    @property
    def shares_its_store(self) -> bool:
        """Whether the store lies elsewhere, and other studies may use it."""
        return self.ordered().store != "store"

    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the study, with those that finished ones asked for.

        Raises:
            StoreError: when not one of them was begun though the store holds finished results: they
                were made by another version, which names its jobs otherwise.
        """
        ordered = self.ordered()
        jobs = Sweep(ordered.recipe, ordered.device).jobs(self.store)
        finished = [entry for entry in self.store.entries() if entry.done]
        if finished and not any((self.store.root / job.key).exists() for job in jobs):
            raise StoreError(
                f"{self.store.root}: none of its {len(finished)} finished results belongs to this study as this "
                "version of secateurs plans it: read it with the one that ran it, or run the recipe into another folder"
            )
        return jobs

    @classmethod
    def create(cls, root: Path, ordered: Ordered) -> StudyFolder:
        """Make the folder, or go on with the one that is there, and write down what is ordered.

        A study may be run again with a recipe that extends it: what was there stays, and more is added.

        Raises:
            StoreError: when something else is in the folder, a study of other settings, or it cannot be written.
        """
        path = root / _RECIPE
        if path.exists():
            if not _is_ours(path):
                raise StoreError(f"{path}: is a file of yours, not of a study: name another folder with --out")
            _check_extends(root, ordered)
        Store(root / ordered.store)
        content = {
            "name": ordered.name,
            "device": ordered.device,
            "command": ordered.command,
            "store": ordered.store,
            "recipe": ordered.recipe.model_dump(mode="json"),
        }
        try:
            root.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".yaml.new")
            draft.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error}") from error
        return cls(root)

    def ordered(self) -> Ordered:
        """What the study in this folder is.

        Raises:
            RecipeError: when the file was damaged or written by another version.
        """
        return _ordered(self.root / _RECIPE)


def _ordered(path: Path) -> Ordered:
    try:
        saved: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        content = dict(saved["recipe"])
        name, device, command, store = (str(saved[key]) for key in ("name", "device", "command", "store"))
    except KeyError as error:
        raise RecipeError(
            f"{path}: has no {error}; it was written by another version: run the recipe again into another folder"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read ({error}); run the recipe again into this folder") from error
    return Ordered(check(content, str(path)), name, device, command, store)


def _check_extends(root: Path, ordered: Ordered) -> None:
    """See that what is ordered is the study in a folder, or an extension of it."""
    try:
        there = _ordered(root / _RECIPE)
    except RecipeError:
        return  # damaged, or of another version: the new one takes its place; results have their own names
    found = differences(there.recipe, ordered.recipe)
    if _short(there.name) != _short(ordered.name):
        found = [Difference("recipe", there.name, ordered.name), *found]
    if found:
        more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        lines = "".join(f"\n  {each}" for each in found[:_SHOWN])
        raise StoreError(
            f"{root}: holds a study of other settings, which this one would take the place of:{lines}{more}\n"
            f"run it into another folder with --out; --store {root / there.store} shares the results that are the same"
        )


def _short(name: str) -> str:
    """A recipe's name and scale, wherever its file lies."""
    return name.rsplit("/", 1)[-1]


def _is_ours(path: Path) -> bool:
    try:
        saved: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(saved, dict) and {"name", "command", "recipe"} <= saved.keys()
