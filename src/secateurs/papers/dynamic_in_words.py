"""Dynamic sparsity for a person: how the mask moves, or where its phases begin."""

from __future__ import annotations

from collections.abc import Iterator

from secateurs.report.words import listed, moment_name
from secateurs.studies.schema import DynamicImpMethodRecipe, DynamicMethod

_GROWN = {"gradient": "by their gradient", "random": "at random"}
_FIRST = {"magnitude": "first mask by magnitude at initialisation", "random": "first mask random"}


def dynamic_parts(method: DynamicMethod) -> Iterator[str]:
    """What a method does, piece by piece.

    >>> from secateurs.studies.schema import RegrowthMethodRecipe
    >>> ", ".join(dynamic_parts(RegrowthMethodRecipe(grow="random")))
    'random mask from the start (ERK), every 100it to 75 % of the run up to 30 % of a layer replaced, grown at random'
    >>> ", ".join(dynamic_parts(DynamicImpMethodRecipe(switches=["5ep"], reinitialise=True)))
    'one-shot dynamic IMP, sparse from the start, another mask from epoch 5 on, grown weights drawn once more'
    """
    if isinstance(method, DynamicImpMethodRecipe):
        yield "one-shot dynamic IMP, sparse from the start"
        switches = [moment_name(f"{each}ep" if isinstance(each, int) else each) for each in method.switches]
        yield f"another mask from {listed(switches)} on"
        if method.scope != "global":
            yield f"masks {'layer by layer (ERK)' if method.scope == 'erk' else 'with the same share in each layer'}"
        if dynamic_change(method):
            yield dynamic_change(method)
    else:
        yield f"random mask from the start ({'ERK' if method.layers == 'erk' else 'the same share in each layer'})"
        every = f"{method.every}ep" if isinstance(method.every, int) else method.every
        share = f"up to {100 * method.fraction:g} % of a layer replaced"
        yield f"every {every} to {100 * method.until:g} % of the run {share}"
        yield f"grown {_GROWN[method.grow]}"
    if method.exclude:
        yield f"without {', '.join(method.exclude)}"


def dynamic_change(method: DynamicMethod) -> str:
    """What a variant of dynamic IMP does to the plain one; empty for a plain method.

    >>> dynamic_change(DynamicImpMethodRecipe(switches=[1], first="random", overlap=0.5))
    'first mask random, at least 50 % of each mask in the one before'
    """
    if not isinstance(method, DynamicImpMethodRecipe):
        return ""
    parts = [] if method.first == "imp" else [_FIRST[method.first]]
    if method.grow != "imp":
        parts.append(f"connections grown {_GROWN[method.grow]}")
    if method.overlap:
        parts.append(f"at least {100 * method.overlap:g} % of each mask in the one before")
    return ", ".join([*parts, *(["grown weights drawn once more"] if method.reinitialise else [])])
