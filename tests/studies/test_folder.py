"""A study's folder that was damaged says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from secateurs.core import RecipeError, SecateursError
from secateurs.studies import EarlyPeriods
from secateurs.studies.folder import Ordered, StudyFolder


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "[",
        "recipe: 3",
        "recipe: {}",
        "name: x",
        "\x00",
        "recipe: {study: other}\nname: a\ndevice: b\ncommand: c\nstore: d",
    ],
)
def test_a_damaged_recipe_is_refused(recipe: Callable[..., EarlyPeriods], tmp_path: Path, text: str) -> None:
    StudyFolder.create(tmp_path, Ordered(recipe(), "mine", "cpu", "secateurs run mine"))
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"recipe\.yaml"):
        StudyFolder(tmp_path)


def test_a_recipe_of_another_version_is_refused(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, Ordered(recipe(), "mine", "cpu", "secateurs run mine"))
    path = tmp_path / "recipe.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["recipe"]["train"]["rate"] = 1
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"recipe\.yaml: train\.rate: unknown key"):
        StudyFolder(tmp_path)


def test_something_else_in_the_folder_is_left_alone(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(SecateursError, match="holds files but is no store"):
        StudyFolder.create(tmp_path, Ordered(recipe(), "mine", "cpu", "secateurs run mine"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["letter.txt", "store"]


def test_a_recipe_of_the_user_s_is_not_overwritten(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("base: demo\n", encoding="utf-8")
    with pytest.raises(SecateursError, match="is a file of yours"):
        StudyFolder.create(tmp_path, Ordered(recipe(), "mine", "cpu", "secateurs run mine"))
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == "base: demo\n"
    assert not (tmp_path / "store").exists()
