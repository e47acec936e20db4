"""Which studies use a store: each is written down in it, so that nobody removes what another one needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from secateurs.core import StoreError
from secateurs.jobs import Store
from secateurs.jobs.files import write_json, writing

_USERS = "users"
"""A folder in the store with one file for each study, so that two that begin at once do not undo one another."""


def register(store: Store, root: Path) -> None:
    """Write down that the study in the folder ``root`` uses a store.

    Raises:
        StoreError: when that cannot be written.
    """
    place = str(root.resolve())
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    folder = store.root / _USERS
    with writing(folder):
        folder.mkdir(exist_ok=True)
    write_json(folder / f"{name}.json", {"folder": place})


def registered(store: Store) -> Iterator[Path]:
    """The folders of the studies that were written down, whether they are still there or not.

    Raises:
        StoreError: when one of the files cannot be read.
    """
    for path in sorted((store.root / _USERS).glob("[!.]*.json")):
        try:
            folder = json.loads(path.read_text(encoding="utf-8"))["folder"]
            yield Path(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path}: cannot be read ({error}), and says which study uses the store: remove it, and run that "
                "study's command again"
            ) from error
