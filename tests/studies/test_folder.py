"""A study's folder that was damaged says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from secateurs.core import RecipeError, SecateursError, StoreError
from secateurs.jobs import Graph, Serial, run
from secateurs.studies import EarlyPeriods, folder
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


def created(root: Path, recipe: EarlyPeriods, store: Path | None = None, device: str = "cpu") -> StudyFolder:
    return StudyFolder.create(root, Ordered(recipe, "mine", device, "run mine", str(store) if store else None))


def test_the_store_that_a_study_has_is_taken_where_none_is_said(
    recipe: Callable[..., EarlyPeriods], tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    created(tmp_path / "out", recipe(), shared)
    again = created(tmp_path / "out", recipe())
    assert again.store.root == shared
    assert not (tmp_path / "out" / "store").exists()
    assert created(tmp_path / "out", recipe(), shared).store.root == shared
    own = created(tmp_path / "own", recipe())
    assert created(tmp_path / "own", recipe(), own.root / "store").ordered().store == "store"


def test_another_store_is_refused_with_both(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    created(tmp_path / "out", recipe(), tmp_path / "shared")
    with pytest.raises(StoreError) as told:
        created(tmp_path / "out", recipe(), tmp_path / "other")
    assert f"store: {tmp_path / 'shared'} there, {tmp_path / 'other'} now" in str(told.value)
    assert "leave --store out" in str(told.value)
    assert not (tmp_path / "other").exists()


def test_a_store_that_was_moved_is_asked_for(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    created(tmp_path / "out", recipe(), tmp_path / "shared")
    (tmp_path / "shared").rename(tmp_path / "moved")
    with pytest.raises(StoreError, match="is gone: say with --store where it lies now"):
        created(tmp_path / "out", recipe())
    with pytest.raises(StoreError, match="run its command again, with --store where its results lie"):
        StudyFolder(tmp_path / "out")
    assert created(tmp_path / "out", recipe(), tmp_path / "moved").store.root == tmp_path / "moved"


def test_another_kind_of_device_is_refused(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    created(tmp_path, recipe())
    with pytest.raises(StoreError, match="device: cpu there, cuda now") as told:
        created(tmp_path, recipe(), device="cuda")
    assert "--out" in str(told.value)
    assert "--store" not in str(told.value), "no result would be the same"


@pytest.mark.parametrize("text", ["", "\0\0\0", "name: [", "3"])
def test_a_damaged_recipe_gives_way_to_the_same_command(
    recipe: Callable[..., EarlyPeriods], tmp_path: Path, text: str
) -> None:
    whole = created(tmp_path, recipe())
    path = tmp_path / "recipe.yaml"
    before = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    (tmp_path / "recipe.yaml.new").write_text("name", encoding="utf-8")
    assert created(tmp_path, recipe()).store.root == whole.store.root
    assert path.read_bytes() == before
    assert not (tmp_path / "recipe.yaml.new").exists()
    assert (tmp_path / "recipe.yaml.damaged").exists() == (text.strip("\0") != "")


def test_the_recipe_is_written_before_the_store(
    recipe: Callable[..., EarlyPeriods], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, "Store", killed)
        with pytest.raises(KeyboardInterrupt):
            created(tmp_path, recipe())
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    with pytest.raises(StoreError, match=r"or none yet: run its command again, .*: run mine$"):
        StudyFolder(tmp_path)
    assert created(tmp_path, recipe()).store.entries() == ()


def test_results_of_others_alone_are_told(recipe: Callable[..., EarlyPeriods], tmp_path: Path) -> None:
    made = created(tmp_path, recipe())
    run(Graph(made.jobs()[:1]), made.store, Serial())
    made.jobs()
    next(iter(made.store.entries())).path.rename(made.store.root / ("0" * 64))
    with pytest.raises(StoreError, match="planned now, for device cpu: they are another study's, or another version"):
        made.jobs()
