"""Stability to SGD noise: what copies of a network, trained with other orders of the data, came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.rows import InstabilityRun, number
from secateurs.report.words import listed, number_of, plural

NOTE = (
    "Instability (P2, Algorithm 3): copies of the network at that epoch are trained with different orders of the data. "
    "It is the highest error on the straight line between their weights, minus the mean error of its ends; below 2 "
    "points the network is called stable. Mean over seeds, ± standard deviation."
)


@dataclass(frozen=True)
class Instability:
    """All seeds at one moment: mean instability on training and test data, and on how many seeds it is stable."""

    epoch: float
    moment: str
    train: Spread | None
    test: Spread | None
    stable: int
    seeds: int


def at_moments(runs: Sequence[InstabilityRun]) -> tuple[Instability, ...]:
    """The runs of one setting, moment by moment.

    >>> from secateurs.report.rows import InstabilityRun
    >>> summaries = [{"train_instability": 0.01, "stable": True}, {"train_instability": 0.03, "stable": False}]
    >>> runs = [InstabilityRun(seed, "", "4ep", 4.0, summary) for seed, summary in enumerate(summaries)]
    >>> (found,) = at_moments(runs)
    >>> found.train.mean, found.stable, found.seeds
    (0.02, 1, 2)
    """
    found = []
    for epoch in sorted({run.epoch for run in runs}):
        here = [run for run in runs if run.epoch == epoch]
        train = [value for run in here if (value := number(run.summary, "train_instability")) is not None]
        found.append(
            Instability(
                epoch=epoch,
                moment=here[0].moment,
                train=Spread.of(train),
                test=Spread.of(number(run.summary, "test_instability") for run in here),
                stable=sum(run.summary.get("stable") is True for run in here),
                seeds=len(train),
            )
        )
    return tuple(found)


def sentence(found: Sequence[Instability]) -> str | None:
    """From which of the moments on the network is stable on every seed; None where nothing was measured.

    >>> sentence([Instability(0, "0ep", None, None, 0, 2), Instability(4, "4ep", None, None, 2, 2)])
    'Of the epochs 0 and 4, the network is stable to SGD noise on both seeds from epoch 4 on.'
    """
    measured = [each for each in found if each.seeds]
    if not measured:
        return None
    tried = listed([number_of(each.epoch) for each in measured])
    epochs = f"epochs {tried}" if len(measured) > 1 else f"epoch {tried}"
    seeds = max(each.seeds for each in measured)
    all_seeds = {1: "the only seed", 2: "both seeds"}.get(seeds, f"all {plural(seeds, 'seed')}")
    lasting = None
    for each in reversed(measured):
        if each.stable < each.seeds:
            break
        lasting = each
    if lasting is None:
        return f"At {epochs}: the last of these does not find the network stable to SGD noise on {all_seeds}."
    since = number_of(lasting.epoch)
    return f"Of the {epochs}, the network is stable to SGD noise on {all_seeds} from epoch {since} on."
