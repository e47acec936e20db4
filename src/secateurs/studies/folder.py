"""The folder of a study: its recipe as it was resolved, its store of results, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from secateurs.core import RecipeError, StoreError
from secateurs.jobs import Store
from secateurs.studies.recipe import EarlyPeriods, check

_RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Ordered:
    """What was ordered: the resolved recipe, its name, the kind of device, the command."""

    recipe: EarlyPeriods
    name: str
    device: str
    command: str


class StudyFolder:
    """``<root>/recipe.yaml``, ``<root>/store``, and beside them what the report writes.

    Args:
        root: the folder.
        create: make it when it is absent, instead of refusing.

    Raises:
        StoreError: when there is no study, or something else, in the folder.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root
        if not create and not (root / _RECIPE).is_file():
            raise StoreError(f"{root}: there is no study here (no {_RECIPE}); name the folder that a run wrote into")
        self.store = Store(root / "store", create=create)

    def ordered(self) -> Ordered:
        """What the study in this folder is.

        Raises:
            RecipeError: when the file was damaged or written by another version.
        """
        path = self.root / _RECIPE
        try:
            saved: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
            content = dict(saved["recipe"])
            name, device, command = (str(saved[key]) for key in ("name", "device", "command"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise RecipeError(f"{path}: cannot be read ({error}); run the recipe again into this folder") from error
        return Ordered(check(content, str(path)), name, device, command)

    def order(self, ordered: Ordered) -> None:
        """Write down what is ordered, with every default in place, so that it can be told again without its source.

        Raises:
            StoreError: when the file cannot be written.
        """
        content = {
            "name": ordered.name,
            "device": ordered.device,
            "command": ordered.command,
            "recipe": ordered.recipe.model_dump(mode="json"),
        }
        try:
            (self.root / _RECIPE).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self.root / _RECIPE}: cannot be written: {error}") from error
