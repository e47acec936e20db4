"""What the studies that use a store need of it, so that the rest can be removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from secateurs.core import SecateursError, StoreError
from secateurs.jobs import Job
from secateurs.studies.folder import RECIPE, StudyFolder
from secateurs.studies.store_users import registered


def users_beside(studies: Sequence[StudyFolder]) -> tuple[list[StudyFolder], list[Path]]:
    """The other studies that use the store of these, and the folders in which there is none any more.

    A study whose store it is lies around it; the others are written down in it.

    Raises:
        StoreError: when one of the others cannot be read.
    """
    store = studies[0].store
    named = {study.root.resolve() for study in studies}
    found: list[StudyFolder] = []
    gone: list[Path] = []
    written = tuple(registered(store))
    for place in dict.fromkeys((store.root.resolve().parent, *written)):
        if place in named:
            continue
        if not (place / RECIPE).is_file():
            gone += [place] if place in written else []
            continue
        try:
            other = StudyFolder(place)
        except SecateursError as error:
            raise _unreadable(place, error) from error
        if other.store.root.resolve() == store.root.resolve():
            found.append(other)
    return found, gone


def needed_by(study: StudyFolder) -> tuple[Job, ...]:
    """All jobs of a study.

    Raises:
        StoreError: when its plan cannot be made, or is of another version.
    """
    try:
        return study.jobs()
    except SecateursError as error:
        raise _unreadable(study.root, error) from error


def _unreadable(place: Path, error: SecateursError) -> StoreError:
    return StoreError(
        f"clean: nothing is removed, since it is not known what the study in {place} needs, which uses the store: "
        f"{error}\nmend it, or remove its folder"
    )
