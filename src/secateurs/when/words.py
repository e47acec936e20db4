"""Numbers and moments for people, with enough digits that what is said of them is true of what is shown."""

from __future__ import annotations

import math
import re

from secateurs.core import Moment


def number(value: float, *beside: float, digits: int = 3) -> str:
    """``value`` to ``digits`` significant ones, or to so many that it still lies on its side of those ``beside`` it.

    >>> number(0.0394, 0.04), number(0.039999, 0.04), number(0.1, 0.1)
    ('0.0394', '0.039999', '0.1')
    """
    for count in range(digits, 18):  # 17 are the number itself
        shown = float(text := f"{value:.{count}g}")
        if all((shown < other, shown > other) == (value < other, value > other) for other in beside):
            return text
    return text


def exactly(value: float) -> str:
    """A number as somebody wrote it.

    >>> exactly(0.04), exactly(5.0)
    ('0.04', '5')
    """
    return repr(float(value)).removesuffix(".0")


def percent(share: float, *beside: float) -> str:
    """A share in percent, to two digits or to so many that it still lies on its side of 1 and of those ``beside`` it.

    >>> percent(0.0196, 0.02), percent(0.02), percent(0.997), percent(3)
    ('1.96 %', '2 %', '99.7 %', '300 %')
    """
    text = number(100 * share, 100.0, *(100 * each for each in beside), digits=2)
    return f"{float(text):.0f} %" if "e+" in text else f"{text} %"


def limit(share: float) -> str:
    """A share that somebody asked for, in percent.

    >>> limit(0.07)
    '7 %'
    """
    return f"{100 * share:.12g} %"


def threshold(value: float) -> tuple[str, str, float]:
    """What lies under a threshold, what does not, and the number that is shown.

    The number that follows on 0.1, which is how a strict comparison has equality too, is shown as 0.1.

    >>> threshold(0.05), threshold(math.nextafter(0.1, 1))
    (('below 0.05', 'not below 0.05', 0.05), ('at most 0.1', 'above 0.1', 0.1))
    """
    before = math.nextafter(value, -math.inf)
    if len(repr(before)) < len(repr(float(value))):
        return f"at most {exactly(before)}", f"above {exactly(before)}", before
    return f"below {exactly(value)}", f"not below {exactly(value)}", value


def times(count: int, what: str) -> str:
    """So many of something.

    >>> times(1, "epoch"), times(2, "epoch")
    ('1 epoch', '2 epochs')
    """
    return f"{count} {what}{'' if count == 1 else 's'}"


def moment_in_words(moment: Moment | str | int) -> str:
    """A moment, in the run or as it was asked for.

    >>> moment_in_words("12ep"), moment_in_words(3), moment_in_words("500it"), moment_in_words("12ep50it")
    ('epoch 12', 'epoch 3', 'step 500', '12ep50it')
    """
    text = str(moment).strip()
    for pattern, words in ((r"(\d+)(?:ep)?", "epoch"), (r"(\d+)it", "step")):
        if found := re.fullmatch(pattern, text):
            return f"{words} {int(found[1])}"
    return text
