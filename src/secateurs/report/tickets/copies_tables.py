"""The tables of copies: every pair, every way between two, and from which k on networks are stable and match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from secateurs.report.overview import Row
from secateurs.report.rows import number
from secateurs.report.tickets.columns import Table, of, spread_row
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import compared, course, parts_of
from secateurs.report.tickets.rows import Copies
from secateurs.report.tickets.stability import onsets

_PLACE = ("setting", "ticket", "level", "density", "rewind", "step", "seed", "after")
_PAIR = ("first_order_seed", "second_order_seed", "part")
_NUMBERS = ("instability", "loss_increase", "l2", "cosine", "differing", "loss_l2", "examples")
_NETWORK = ("setting", "ticket", "level", "density")


def _copies(findings: TicketFindings) -> Iterator[Row]:
    for each in findings.copies:
        yield from _pairs(each)


def _throughout(findings: TicketFindings) -> Iterator[Row]:
    for each in findings.throughout:
        yield from _pairs(each)


def _pairs(each: Copies) -> Iterator[Row]:
    for row in each.rows:
        numbers: Row = {name: number(row, name) for name in _NUMBERS}
        yield {**_place(each), **_pair(row), "until": row.get("until"), **numbers}


def _place(each: Copies) -> Row:
    return {name: getattr(each, name) for name in _PLACE}


def _pair(row: Mapping[str, object]) -> Row:
    seeds = row.get("seeds")
    first, second = seeds if isinstance(seeds, (list, tuple)) else (None, None)
    return {"first_order_seed": first, "second_order_seed": second, "part": row.get("part")}


def _interpolation(findings: TicketFindings) -> Iterator[Row]:
    for each in findings.copies:
        for row in each.rows:
            pair = {**_place(each), **_pair(row)}
            for alpha, error, loss in zip(row["alphas"], row["errors"], row["losses"], strict=True):
                yield {**pair, "alpha": alpha, "error": error, "loss": loss}


def _instability(findings: TicketFindings) -> Iterator[Row]:
    for after in ("continue", "replay"):
        networks = compared(findings, after)
        for network, moments in networks.items():
            for part in parts_of(networks):
                for step, found in course(moments, part, "instability").items():
                    place: Row = {"setting": findings.setting, "ticket": network.ticket, "level": network.level}
                    place |= {"density": network.density, "step": step, "after": after, "part": part}
                    yield {**place, "pairs": found.n, **spread_row("instability", found.values)}


def _stability(findings: TicketFindings) -> Iterator[Row]:
    for onset in onsets(findings):
        matching = onset.matching_at()
        train, test = onset.stable_from("train"), onset.stable_from("test")
        yield {
            "setting": findings.setting,
            **{"ticket": onset.network.ticket, "level": onset.network.level, "density": onset.network.density},
            **{"seeds": len({*train, *test, *matching}), "moments": len(onset.tried)},
            **_seeds("stable_train", train, onset.stable_median("train")),
            **_seeds("stable_test", test, onset.stable_median("test")),
            **_seeds("matching", matching, onset.matching_median),
        }


_SEEDS = ("judged", "seeds", "median_step")


def _seeds(name: str, by: Mapping[int, int | None], median: float | None) -> Row:
    """Of how many seeds something is known, how many get there, and their median; ``"never"``: most do not.

    Where it is known of none the last two are empty.
    """
    counts = (
        (sum(step is not None for step in by.values()), "never" if median is None else median) if by else (None,) * 2
    )
    return dict(zip((f"{name}_{each}" for each in _SEEDS), (len(by), *counts), strict=True))


TABLES: Mapping[str, Table] = {
    "copies": Table((*_PLACE, *_PAIR, "until", *_NUMBERS), _copies),
    "throughout": Table((*_PLACE, *_PAIR, "until", *_NUMBERS), _throughout),
    "interpolation": Table((*_PLACE, *_PAIR, "alpha", "error", "loss"), _interpolation),
    "instability": Table((*_NETWORK, "step", "after", "part", "pairs", *of("instability")), _instability),
    "stability": Table(
        (
            *(*_NETWORK, "seeds", "moments"),
            *(f"{name}_{each}" for name in ("stable_train", "stable_test", "matching") for each in _SEEDS),
        ),
        _stability,
    ),
}
"""By name."""
