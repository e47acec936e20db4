"""Numbers, names and lists as a person reads them: the only place where fractions become percentages."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.curves import Spread

SIGNAL_NAMES = {
    "fisher_trace": "tr(F)",
    "kl_uniform": "KL-uniform",
    "fisher_trace_empirical": "empirical tr(F)",
    "gradient_norm": "gradient norm",
}
"""How the names of signals in logs are spelled in print; others lose their underscores."""

NOTHING = "\N{EN DASH}"
"""What a table shows where there is no value."""

NAMED = 6
"""So many runs or layers are named in a sentence."""

SPACE = "\N{NO-BREAK SPACE}"
"""Keeps a number with its unit."""


def signal_name(signal: str) -> str:
    """The name of a signal in print.

    >>> signal_name("fisher_trace"), signal_name("my_signal")
    ('tr(F)', 'my signal')
    """
    return SIGNAL_NAMES.get(signal, signal.replace("_", " "))


def percent(spread: Spread | None) -> str:
    """Accuracy in percent with its unit, for sentences; its parts stay on one line.

    >>> percent(Spread(0.953, 0.0006, 3)).replace(SPACE, " "), percent(None)
    ('95.3 ± 0.1 %', '–')
    """
    return NOTHING if spread is None else f"{plain_percent(spread)} %".replace(" ", SPACE)


def plain_percent(spread: Spread | None) -> str:
    """Accuracy in percent without its unit, for tables: mean and standard deviation.

    >>> plain_percent(Spread(0.953, 0.004, 3)), plain_percent(Spread(0.5, None, 1))
    ('95.3 ± 0.4', '50.0')
    """
    if spread is None:
        return NOTHING
    deviation = "" if spread.sd is None else f" ± {100 * spread.sd:.1f}"
    return f"{100 * spread.mean:.1f}{deviation}"


def signed(points: float) -> str:
    """Percentage points with a sign, from a fraction; what rounds to nothing has none.

    >>> signed(0.0123), signed(-0.002), signed(-0.00001)
    ('+1.23', '−0.20', '0.00')
    """
    text = f"{100 * points:+.2f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if text[1:] == "0.00" else text


def number_of(value: float) -> str:
    """An epoch or a value in at most four digits.

    >>> number_of(60.0), number_of(12.5), number_of(0.0123456)
    ('60', '12.5', '0.01235')
    """
    return f"{value:.4g}"


def moment_name(moment: str) -> str:
    """A moment as it is told in a recipe, for a person; one inside an epoch stays as it is.

    >>> moment_name("3ep"), moment_name("1ep10it")
    ('epoch 3', '1ep10it')
    """
    epochs = moment.removesuffix("ep")
    return f"epoch {epochs}" if epochs.isdigit() and epochs != moment else moment


def plural(count: int, noun: str) -> str:
    """Return ``"1 seed"``, ``"3 seeds"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(items: Sequence[object]) -> str:
    """Join as in a sentence.

    >>> listed([1, 2, 3]), listed(["a"])
    ('1, 2 and 3', 'a')
    """
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def seed_list(seeds: Sequence[int]) -> str:
    """Return ``"seed 1"`` or ``"seeds 1 and 2"``."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}"


def some(items: Sequence[str], between: str = ", ") -> str:
    """So many as one can read; the tables have them all.

    >>> some(["a", "b"]), some([str(place) for place in range(9)], "; ")
    ('a, b', '0; 1; 2; 3; 4; 5; and 3 more, in the table of runs')
    """
    more = len(items) - NAMED
    return between.join(items[:NAMED]) + (f"{between}and {more} more, in the table of runs" if more > 0 else "")


def lost(diverged: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Sentences about the runs that take no part in any mean, by name; none where there is no such run.

    >>> lost(["a, seed 1"], ["b, seed 1", "b, seed 2"])
    ['1 run diverged and took no part in any mean: a, seed 1.', '2 runs without a result: b, seed 1; b, seed 2.']
    """
    kinds = ((diverged, " diverged and took no part in any mean"), (missing, " without a result"))
    return [f"{plural(len(runs), 'run')}{what}: {some(runs, '; ')}." for runs, what in kinds if runs]
