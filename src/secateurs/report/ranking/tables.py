"""The ranking's tables with a fixed order of columns; accuracies, regrets and shares are fractions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from secateurs.report import tables as common
from secateurs.report.findings import Findings
from secateurs.report.overview import Row
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.sides import Side
from secateurs.report.ranking.standing import InSetting, Interval, Standing

COLUMNS: dict[str, tuple[str, ...]] = {
    "ranking": (
        *("side", "rank", "trigger", "reads", "settings", "runs", "regret_mean", "regret_low", "regret_high"),
        *("validation_regret_mean", "validation_regret_low", "validation_regret_high"),
        *("behind_mean", "behind_low", "behind_high", "worst_setting", "worst_regret", "dense_share"),
        *("never", "uncharged", "at_bound", "lost", "silent_settings", "seconds_share"),
    ),
    "regrets": (
        *("side", "setting", "trigger", "regret_mean", "regret_low", "regret_high", "validation_regret_mean"),
        *("dense_share", "fired", "charged", "uncharged", "at_bound", "lost", "seconds_share"),
    ),
    "decisions": ("side", "setting", "trigger", "seed", "dense_share", "how", "regret", "validation_regret"),
}
"""The tables by name, and the columns of each, beside those of a study of early periods."""


def tables(ranked: Sequence[Side]) -> dict[str, list[Row]]:
    """The ranking, the regrets of each setting, and every single decision."""
    return {
        "ranking": [
            _ranked(side, place, each) for side in ranked for place, each in enumerate(side.standings, start=1)
        ],
        "regrets": [_regret(side, each, place) for side, each, place in _each(ranked)],
        "decisions": [row for side, each, place in _each(ranked) for row in _decisions(side, each, place)],
    }


def write_tables(bench: RankingStudy, found: Sequence[Findings], ranked: Sequence[Side], folder: Path) -> list[Path]:
    """Write these tables, and those of a study of early periods, as ``<folder>/<name>.csv``; return the files."""
    written = common.write_tables(bench.study, found, folder)
    for name, rows in tables(ranked).items():
        path = folder / f"{name}.csv"
        path.write_text(common.to_csv(rows, COLUMNS[name]), encoding="utf-8")
        written.append(path)
    return written


def _each(ranked: Sequence[Side]) -> list[tuple[Side, Standing, InSetting]]:
    return [(side, each, place) for side in ranked for each in side.standings for place in each.places]


def _ranked(side: Side, rank: int, each: Standing) -> Row:
    worst = each.worst
    return {
        **{"side": side.name, "rank": rank, "trigger": each.trigger},
        "reads": None if each.reads is None else " ".join(each.reads),
        **{"settings": each.settings, "runs": each.runs},
        **_with_interval("regret", each.regret, each.interval),
        **_with_interval("validation_regret", each.validation_regret, each.validation_interval),
        **_with_interval("behind", each.behind, each.behind_interval),
        "worst_setting": None if worst is None else worst.setting,
        "worst_regret": None if worst is None else worst.regret,
        **{"dense_share": each.share, "never": each.never, "uncharged": each.uncharged, "at_bound": each.bound},
        **{"lost": each.lost, "silent_settings": each.silent_settings, "seconds_share": each.overhead},
    }


def _regret(side: Side, each: Standing, place: InSetting) -> Row:
    return {
        **{"side": side.name, "setting": place.setting, "trigger": each.trigger},
        **_with_interval("regret", place.regret, place.interval),
        "validation_regret_mean": place.validation_regret,
        **{"dense_share": place.share, "fired": len(place.result.choices)},
        **{"charged": len(place.charged), "uncharged": len(place.uncharged), "at_bound": len(place.at_bound)},
        **{"lost": len(place.result.lost), "seconds_share": place.result.seconds_share},
    }


def _decisions(side: Side, each: Standing, place: InSetting) -> list[Row]:
    return [
        {
            **{"side": side.name, "setting": place.setting, "trigger": each.trigger, "seed": seed},
            **{"dense_share": share, "how": _how(place, seed), "regret": place.regrets.get(seed)},
            "validation_regret": place.validation_regrets.get(seed),
        }
        for seed, share in sorted(place.shares.items())
    ]


def _how(place: InSetting, seed: int) -> str:
    return "never" if seed in (*place.charged, *place.uncharged) else "bound" if seed in place.at_bound else "fired"


def _with_interval(name: str, mean: float | None, interval: Interval | None) -> Row:
    return {f"{name}_mean": mean, f"{name}_low": interval and interval[0], f"{name}_high": interval and interval[1]}
