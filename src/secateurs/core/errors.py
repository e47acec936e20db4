"""Errors: what is wrong, where, and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SecateursError(Exception):
    """Base of every error that this library raises on purpose."""


class DataError(SecateursError):
    """Data that cannot be used as they are: a missing class, a label out of range, too few examples."""


class PruningError(SecateursError):
    """A score, mask, density or enforcement that cannot be computed or does not fit the model."""


class SignalError(SecateursError):
    """A signal or trigger that lacks what it needs."""


class TrainingError(SecateursError):
    """Training settings that contradict each other, the data or the state."""


class MeasureError(SecateursError):
    """A comparison of networks that is not defined: other architectures or masks, outputs without variance."""


class RecipeError(SecateursError):
    """A recipe that does not say something valid; the message has one line per fault, with its path."""


class StoreError(SecateursError):
    """A store of results that cannot be read or written."""


class ExportError(SecateursError):
    """A network that cannot be written for others, or a file of one that cannot be read."""


class JobError(SecateursError):
    """One or more jobs of a graph failed; what was finished is kept."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``; choices: a, b; did you mean 'a'?`` for error messages about an unknown name.

    >>> did_you_mean("magnitud", ["magnitude", "random"])
    "; choices: magnitude, random; did you mean 'magnitude'?"
    >>> did_you_mean("x", ["batch size, width", "epochs"])  # names with commas are told apart
    "; choices: 'batch size, width', epochs"
    """
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    told = ", ".join(repr(each) if "," in each else each for each in known)
    return f"; choices: {told or 'none'}{hint}"
