"""What to change of a network that is to be pruned, by field, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from secateurs.core.regimes import TEMPERATURES
from secateurs.report.advice.findings import AdviceFindings
from secateurs.report.advice.rows import AdviceStudy, Knobs
from secateurs.report.words import listed, number_of

_FIRST_RHO = 0.1  # within P4's grid of 0.01 to 0.8


def remedies(found: AdviceFindings) -> list[str]:
    """What to change, by field, with values to begin with; nothing where no regime is known."""
    verdict = found.chosen
    if verdict.lmc is None or verdict.too_early:
        return []
    if verdict.regime == "I":
        return list(_hotter(verdict.candidate.knobs, found.study))
    first, *others = _colder(verdict.candidate.knobs, found.study)
    may = "" if verdict.regime == "II-A" else "If it is to be better still: "
    return [f"{may}{first if may else first[0].upper() + first[1:]}", *others]


def _hotter(knobs: Knobs, study: AdviceStudy) -> Iterator[str]:
    looked_at = {each.knobs.stopped for each in study.candidates}
    stop = knobs.stopped if knobs.stopped is not None else float(knobs.epochs or 0)
    earlier = math.floor(stop / 2)
    while earlier and earlier in looked_at:
        earlier //= 2
    if study.source == "files":
        yield (
            "Stop earlier: prune a checkpoint from earlier in the same training. Put some into the folder: each gets "
            "its row."
        )
    elif earlier:
        kept = "" if study.source == "trained" else ", if the study kept that checkpoint"
        yield (
            f"Stop earlier: prune the network of an epoch before {number_of(stop)} of the same training, say of "
            f"{earlier}: --at {earlier}{kept}."
        )
    if knobs.batch_size is None:
        yield (
            "Or a batch smaller than the one it was trained with. (P4 varies it at a fixed number of steps, so that "
            "there are fewer epochs, too.)"
        )
    elif knobs.batch_size > 1:
        yield (
            f"Or a batch smaller than {knobs.batch_size}: train.batch_size={knobs.batch_size // 2}. (P4 varies it at a "
            "fixed number of steps, so that there are fewer epochs, too.)"
        )
    grown = number_of(2 * knobs.rho) if knobs.rho else number_of(_FIRST_RHO)
    if knobs.rho is None:
        has = "SAM, or a larger rho of it where it was in use"
        yield f"Or {has}: say train.sam.rho={grown}; an epoch costs twice as much with it."
        return
    has = f"a larger rho of SAM than {number_of(knobs.rho)}" if knobs.rho else "SAM, which is not in use (a rho of 0)"
    yield f"Or {has}: train.sam.rho={grown}; an epoch costs twice as much with it."


def _colder(knobs: Knobs, study: AdviceStudy) -> Iterator[str]:
    if study.source == "files":
        yield (
            "train longer: prune a checkpoint from later in the same training, or train for more epochs than it was "
            "trained for."
        )
    elif knobs.at_the_end:
        now = f" than {knobs.epochs} epochs: train.epochs={2 * knobs.epochs}" if knobs.epochs is not None else ""
        yield f"train longer{now}, its schedule stretched alike."
    else:
        kept = "" if study.source == "trained" else ", if the study kept that checkpoint"
        yield (
            f"prune at a later epoch than {number_of(knobs.stopped or 0)} of the same training: --at "
            f"{_later(knobs, study)}{kept}."
        )
    if knobs.batch_size is None:
        yield "Or a batch larger than the one it was trained with; or a smaller rho, where SAM was in use."
    else:
        yield f"Or a batch larger than {knobs.batch_size}: train.batch_size={2 * knobs.batch_size}."
    if knobs.rho:
        yield f"Or a smaller rho of SAM than {number_of(knobs.rho)}: train.sam.rho={number_of(knobs.rho / 2)}."


def _later(knobs: Knobs, study: AdviceStudy) -> int:
    """The training's last epoch, or one half way there that was not looked at."""
    looked_at = {each.knobs.stopped for each in study.candidates}
    found = knobs.epochs or math.ceil(knobs.stopped or 0)
    while found in looked_at and found - (knobs.stopped or 0) > 1:
        found = math.ceil((found + (knobs.stopped or 0)) / 2)
    return found


def what_temperatures_are() -> str:
    """The temperatures of dense training in a sentence, for those who do not know the word."""
    ways = [f"{kind.words} ({kind.hotter_is} is hotter)" for kind in TEMPERATURES.values() if kind.name != "lr"]
    return f"Temperature is what makes training noisier: {listed(ways)} (P4 section 2.1)."
