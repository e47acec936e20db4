"""Whether a folder may take a ticket: it is empty, or has the same one."""

from __future__ import annotations

import shlex
from pathlib import Path

from secateurs.core import Moment, StoreError
from secateurs.studies import Tickets, TicketsPlan
from secateurs.studies.extending import Difference
from secateurs.studies.folder import OWN_STORE, RECIPE, name_in, ordered_in
from secateurs.studies.tickets.file import TICKET_FILE, TICKET_RESULT
from secateurs.studies.tickets.recipe import TICKET

_OURS = frozenset((OWN_STORE, TICKET_FILE, TICKET_RESULT, RECIPE, f"{RECIPE}.new", f"{RECIPE}.damaged"))


def check_folder(root: Path) -> None:
    """Refuse a folder with something else in it; what a run that was cut off early left is no such thing.

    Raises:
        StoreError: naming what is there.
    """
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root}: is a file: name a folder with --out")
    there = sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) if root.is_dir() else []
    name = name_in(root)
    if name is not None and name != TICKET:
        raise StoreError(f"{root}: is the folder of the study {name!r}: name another one with --out")
    alien = [each for each in there if each not in _OURS]
    if name is None and alien:
        raise StoreError(
            f"{root}: holds {alien[0]!r}, and no run of 'secateurs ticket': name an empty or a new folder with --out"
        )


def check_same(root: Path, plan: TicketsPlan) -> None:
    """Refuse a folder with another ticket in it, whose file would be written over.

    Raises:
        StoreError: with what is other.
    """
    earlier = ordered_in(root)
    if earlier is None or not isinstance(earlier.recipe, Tickets):
        if (root / TICKET_FILE).exists():
            raise StoreError(f"{root / TICKET_FILE}: it cannot be read which ticket this is: name another --out")
        return
    there, now = earlier.recipe, plan.recipe
    before, after = (Moment.parse(each.rewind[0], plan.steps_per_epoch) for each in (there, now))
    found = [
        Difference(name, one, other)
        for name, one, other in (
            ("seed", there.seeds[0], now.seeds[0]),
            ("rewind", str(before), str(after)),
            ("density", there.densities[-1], now.densities[-1]),
        )
        if one != other
    ]
    if found:
        raise StoreError(
            f"{root}: holds another ticket:"
            + "".join(f"\n  {each}" for each in found)
            + f"\n--out another folder; --store {shlex.quote(str(root / (earlier.store or OWN_STORE)))} shares levels"
        )
