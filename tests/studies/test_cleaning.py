"""A shared store knows its users: what any study that is still there needs is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateurs.core import StoreError
from secateurs.jobs import Store
from secateurs.studies.cleaning import needed_by, users_beside
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.store_users import registered
from small_tickets import TICKETS, tickets

FEW = {name: None for name in TICKETS["tickets"] if name != "one-shot IMP"}


@pytest.fixture
def two(tmp_path: Path) -> tuple[StudyFolder, StudyFolder]:
    """The first has its own store, the second one takes it."""
    recipe = tickets(tickets=FEW)
    first = StudyFolder.create(tmp_path / "first", Ordered(recipe, "one", "cpu", "run"))
    store = str(tmp_path / "first" / "store")
    second = StudyFolder.create(tmp_path / "second", Ordered(recipe, "two", "cpu", "run", store))
    return first, second


def test_each_is_written_down_once_and_is_the_other_s_neighbour(two: tuple[StudyFolder, StudyFolder]) -> None:
    first, second = two
    assert second.shares_its_store
    assert not first.shares_its_store
    assert set(registered(first.store)) == {first.root.resolve(), second.root.resolve()}
    StudyFolder.create(second.root, second.ordered())
    assert len(list(registered(first.store))) == 2
    for one, other in ((first, second), (second, first)):
        (beside,), gone = users_beside([one])
        assert beside.root.resolve() == other.root.resolve()
        assert not gone
        assert {job.key for job in needed_by(beside)} == {job.key for job in other.jobs()}
    assert users_beside([first, second]) == ([], [])
    assert not Store(first.store.root).entries(), "they are no results"


def test_one_that_ran_before_users_were_written_down_lies_around_its_store(
    two: tuple[StudyFolder, StudyFolder],
) -> None:
    first, second = two
    for path in (first.store.root / "users").iterdir():
        path.unlink()
    (beside,), _ = users_beside([second])
    assert beside.root.resolve() == first.root.resolve()


def test_one_that_is_gone_is_told(two: tuple[StudyFolder, StudyFolder]) -> None:
    first, second = two
    second.root.rename(second.root.with_name("third"))
    assert users_beside([first]) == ([], [second.root.resolve()])


def test_one_that_has_another_store_by_now_is_no_user(two: tuple[StudyFolder, StudyFolder]) -> None:
    first, second = two
    path = second.root / "recipe.yaml"
    (second.root / "store").mkdir()
    Store(second.root / "store")
    text = path.read_text(encoding="utf-8").replace(f"store: {second.ordered().store}", "store: store")
    path.write_text(text, encoding="utf-8")
    assert users_beside([first]) == ([], [])


@pytest.mark.parametrize("text", ["", "name: [", "recipe: {}\nname: a\ndevice: b\ncommand: c\nstore: d"])
def test_where_one_cannot_be_read_nothing_is_removed(two: tuple[StudyFolder, StudyFolder], text: str) -> None:
    first, second = two
    (second.root / "recipe.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"clean: nothing is removed, since .*second needs"):
        users_beside([first])


def test_a_damaged_entry_is_told(two: tuple[StudyFolder, StudyFolder]) -> None:
    first, _ = two
    next((first.store.root / "users").iterdir()).write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="says which study uses the store"):
        users_beside([first])
