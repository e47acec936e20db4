"""P2, "The Lottery Ticket Hypothesis: On Sparse, Trainable Neural Networks": what chapter 5 does to its methods.

Each of them once more with its mask shuffled or inverted, or its weights drawn anew, to be compared
with the plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.papers.dynamic_in_words import dynamic_change
from secateurs.studies.schema import DynamicMethod
from secateurs.studies.schema.method import AnyMethod, ChannelMethodRecipe

CITATION = """\
@phdthesis{frankle_2023_lottery_tickets,
  title  = {The Lottery Ticket Hypothesis: On Sparse, Trainable Neural Networks},
  author = {Frankle, Jonathan},
  school = {Massachusetts Institute of Technology},
  year   = {2023}
}"""

_ABLATIONS = {"shuffle": "shuffled within layers", "reinitialise": "re-initialised"}
_CHANGES = {"ablation", "invert", "first", "grow", "overlap", "reinitialise"}


def change(method: AnyMethod) -> str:
    """What a method does to its plain counterpart; empty for a plain one.

    >>> from secateurs.studies.schema import MethodRecipe
    >>> change(MethodRecipe(ablation="shuffle", invert=True))
    'inverted, shuffled within layers'
    """
    if isinstance(method, DynamicMethod):
        return dynamic_change(method)
    if isinstance(method, ChannelMethodRecipe):
        return ""
    parts = ["inverted"] if method.invert else []
    return ", ".join([*parts, *([_ABLATIONS[method.ablation]] if method.ablation != "none" else [])])


def bases(methods: Mapping[str, AnyMethod]) -> dict[str, str]:
    """The methods that are another one with a change (shuffled, inverted, grown at random), and that other one.

    >>> from secateurs.studies.schema import MethodRecipe
    >>> bases({"plain": MethodRecipe(), "shuffled": MethodRecipe(ablation="shuffle")})
    {'shuffled': 'plain'}
    """
    plain = {name: _unchanged(method) for name, method in methods.items() if not change(method)}
    found = {}
    for name, method in methods.items():
        same = [other for other, settings in plain.items() if change(method) and settings == _unchanged(method)]
        if same:
            found[name] = same[0]
    return found


def _unchanged(method: AnyMethod) -> dict[str, Any]:
    return {name: getattr(method, name) for name in type(method).model_fields if name not in _CHANGES}
