"""Whether a recipe may be run into the folder of another: it asks for more of the same, or for less, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from secateurs.studies.runs import identity_and_place
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.schema.common import Growth

_WIDTH = 80  # of a value that is told, in characters


class Difference(NamedTuple):
    """What keeps two recipes from being one study: a dotted path, and both values (None: not there).

    >>> print(Difference("train.lr", 0.1, 0.2))
    train.lr: 0.1 there, 0.2 now
    """

    path: str
    earlier: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.path}: {_told(self.earlier)} there, {_told(self.now)} now"


def differences(earlier: StudyRecipe, now: StudyRecipe) -> list[Difference]:
    """What keeps two recipes from being one study; nothing where one asks for more seeds, levels, ... than the other.

    A kind says in :attr:`StudyRecipe.grows` what that may be. Settings may come and go, too: those of one label are
    compared as they resolve. What differs in each of them alike is told once. Data may have been moved or renamed.
    """
    if type(earlier) is not type(now):
        return [Difference("study", earlier.study, now.study)]
    before, after = earlier.each(), now.each()
    found = {label: _by_path(before[label], after[label]) for label in before if label in after}
    if not found:
        return [Difference("settings", list(earlier.settings), list(now.settings))]
    first, *others = found.values()
    everywhere = {path: each for path, each in first.items() if all(other.get(path) == each for other in others)}
    own = [
        each._replace(path=f"settings.{label}.{path}")
        for label, each_found in found.items()
        for path, each in each_found.items()
        if path not in everywhere
    ]
    return [*everywhere.values(), *own]


def _by_path(earlier: StudyRecipe, now: StudyRecipe) -> dict[str, Difference]:
    before, after = ({**each.as_compared(), "data": identity_and_place(each.data)[0]} for each in (earlier, now))
    return {each.path: each for each in _between(before, after, type(now).grows)}


def _between(
    earlier: Mapping[str, Any], now: Mapping[str, Any], grows: Mapping[str, Growth], path: str = "", rule: str = ""
) -> Iterator[Difference]:
    """Key by key; ``path`` is where the mappings stand, ``rule`` the same with ``*`` for labels."""
    labelled = grows.get(rule) == "labels"
    for key in dict.fromkeys((*earlier, *now)):
        own, its_rule = (f"{above}.{key}" if above else key for above in (path, rule))
        if labelled and its_rule not in grows:
            its_rule = f"{rule}.*"
        growth, before, after = grows.get(its_rule), earlier.get(key), now.get(key)
        comes_or_goes = (before is None or after is None) and (labelled or growth is not None)
        if growth == "free" or before == after or comes_or_goes:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _between(before, after, grows, own, its_rule)
        elif not (growth == "prefix" and _one_begins_the_other(before, after)):
            yield Difference(own, before, after)


def _one_begins_the_other(before: Any, after: Any) -> bool:
    return bool(before[: len(after)] == after[: len(before)])


def _told(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"{str(value)[:_WIDTH]} ..." if len(str(value)) > _WIDTH else str(value)
