"""Two studies side by side: their settings matched, and what differs in their recipes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secateurs.report.changes import Change, changes
from secateurs.report.differences import Difference, differences
from secateurs.report.findings import Findings, find
from secateurs.report.rows import Study


@dataclass(frozen=True)
class Pair:
    """One setting and density in both studies."""

    a: Findings
    b: Findings
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Two studies: the settings they share, those only one has, and what differs in their recipes."""

    names: tuple[str, str]
    studies: tuple[Study, Study]
    pairs: tuple[Pair, ...]
    only_a: tuple[Findings, ...]
    only_b: tuple[Findings, ...]
    recipe: tuple[Change, ...]


def compare(study_a: Study, study_b: Study, *, names: tuple[str, str] | None = None) -> Comparison:
    """Set two studies side by side.

    Settings are matched by name and density; then by name alone where a study has one density of
    it; and two studies of one setting each are matched whatever it is called.

    Args:
        study_a: the first, against which is measured.
        study_b: the second.
        names: what to call them; their titles, with (A) and (B) when these are the same.
    """
    if names is None:
        same = study_a.title == study_b.title
        names = (f"{study_a.title} (A)", f"{study_b.title} (B)") if same else (study_a.title, study_b.title)
    found_a, found_b = find(study_a), find(study_b)
    matched = _match(found_a, found_b)
    return Comparison(
        names=names,
        studies=(study_a, study_b),
        pairs=tuple(Pair(a, b, differences(a, b)) for a, b in matched),
        only_a=tuple(each for each in found_a if all(each is not a for a, _ in matched)),
        only_b=tuple(each for each in found_b if all(each is not b for _, b in matched)),
        recipe=changes(study_a.provenance.recipe, study_b.provenance.recipe),
    )


def _match(found_a: Sequence[Findings], found_b: Sequence[Findings]) -> list[tuple[Findings, Findings]]:
    keys: list[Callable[[Findings], object]] = [lambda f: (f.setting, f.density), lambda f: f.setting]
    if len(found_a) == len(found_b) == 1:
        keys.append(lambda _: None)
    pairs: list[tuple[Findings, Findings]] = []
    for key in keys:
        left = [each for each in found_a if all(each is not a for a, _ in pairs)]
        right = [each for each in found_b if all(each is not b for _, b in pairs)]
        for each in left:
            partners = [other for other in right if key(other) == key(each)]
            if len(partners) == 1 and sum(key(other) == key(each) for other in left) == 1:
                pairs.append((each, partners[0]))
    return [(a, b) for a in found_a for other, b in pairs if other is a]
