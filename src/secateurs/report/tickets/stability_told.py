"""What instability analysis found, in sentences: from when on networks are stable, and whether they match then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from secateurs.core import STABLE_BELOW
from secateurs.report.tickets import words
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import Moments, Network, Sample, compared, sample, tried
from secateurs.report.tickets.rows import DENSE, Copies
from secateurs.report.tickets.stability import Onset, both_judged, guessing_at, has_lost, onsets, together
from secateurs.report.tickets.stability_words import at_k, by_level, guess, named_levels, points, share
from secateurs.report.words import NAMED, SPACE, listed, plural


def sentences(findings: TicketFindings) -> Iterator[str]:
    """What the copies of one setting show; nothing where none were compared. Nothing is decided on test data."""
    networks = compared(findings)
    steps = tried(networks)
    if steps:
        found = [onset for onset in onsets(findings) if onset.stable]
        yield from _at_one(findings, networks, steps[0]) if len(steps) == 1 else _onsets(findings, found, steps)
        yield from _together(found)
        yield from _replayed(findings, found)
        yield from _at_rewinding(findings, found)
    yield from _lost(findings.copies)


def _at_one(findings: TicketFindings, networks: Mapping[Network, Moments], step: int) -> Iterator[str]:
    """Of a study with one k: how unstable each ticket is there."""
    for name in dict.fromkeys(network.ticket for network in networks):
        own = [network for network in networks if network.ticket == name]
        levels = words.spread_out(own, NAMED)
        told = [each for network in levels if (each := _level(network, networks[network].get(step, ())))]
        if told:
            guessing = guess([each for each in levels if step in guessing_at(findings, each)], len(levels))
            yield f"Instability of {name} from {words.k(step)} on: {'; '.join(told)}{guessing}."


def _level(network: Network, copies: Sequence[Copies]) -> str:
    train, test = (sample(copies, part, "instability") for part in ("train", "test"))
    if train is None and test is None:
        return ""
    where = "" if network.dense else f"at {words.left(network.density)} "
    stable = train is not None and train.mean < STABLE_BELOW and not any(has_lost(each) for each in copies)
    return f"{where}{points(train)} on training data{', stable' if stable else ''} ({points(test)} on test data)"


def _onsets(findings: TicketFindings, found: Sequence[Onset], steps: Sequence[int]) -> Iterator[str]:
    seeds = {seed for onset in found for seed in onset.stable.get("train", {})}
    over = f"median over {plural(len(seeds), 'seed')}" if len(seeds) > 1 else "one seed"
    yield (
        f"Stable is: mean instability below {100 * STABLE_BELOW:g} points on training data, from a k on and at every "
        f"later one; tried were k{SPACE}={SPACE}{listed([f'{step:,}' for step in steps])} of {findings.steps:,} steps "
        f"({over})."
    )
    for name in dict.fromkeys(onset.network.ticket for onset in found):
        own = [onset for onset in found if onset.network.ticket == name]
        if name == DENSE:
            yield from (f"The dense networks are {_stable(findings, onset)}." for onset in own)
            continue
        guessing = guess([onset.network for onset in own if _stable_but_guessing(findings, onset)], len(own))
        if len(own) == 1:
            matching = _matching(own[0])
            yield f"{name}, {words.left(own[0].network.density)}: {_stable(findings, own[0])}{matching}{guessing}."
        else:
            yield f"{name}: {by_level(own)}{guessing}."


def _stable_but_guessing(findings: TicketFindings, onset: Onset) -> bool:
    """Whether a network is stable in the end, but hardly better than chance at some k at which it is."""
    medians = [median for part in ("train", "test") if (median := onset.stable_median(part)) is not None]
    return any(step >= median for median in medians[:1] for step in guessing_at(findings, onset.network))


def _stable(findings: TicketFindings, onset: Onset) -> str:
    train, test = onset.stable_median("train"), onset.stable_median("test")
    on_test = "at none" if test is None else f"from {at_k(test)} on"
    if not onset.stable_from("train"):
        return f"not known to be stable on training data; on test data stable {on_test}"
    told = "stable at none of these k" if train is None else f"stable from {at_k(train)} on ({share(findings, train)})"
    if not onset.stable_from("test"):
        return f"{told}, not known on test data"
    return f"{told}, {'as on test data' if train == test else f'on test data {on_test}'}"


def _matching(onset: Onset) -> str:
    if not onset.matching_at():
        return ""
    found = onset.matching_median
    return "; it matches at none" if found is None else f"; it matches first at {at_k(found)}"


def _together(found: Sequence[Onset]) -> Iterator[str]:
    """Whether subnetworks match where they are stable (P2 section 4.2.3)."""
    for name in dict.fromkeys(onset.network.ticket for onset in found):
        own = [onset for onset in found if onset.network.ticket == name]
        counts = together(own)
        every = sum(counts.values())
        kinds = {(True, True): "stable and matching", (True, False): "stable only", (False, True): "matching only"}
        told = [f"{counts[kind]} {said}" for kind, said in {**kinds, (False, False): "neither"}.items() if counts[kind]]
        if every > 1:
            yield f"Of {every} networks of {name} ({_of(own)}): {', '.join(told)}{_coincide(own)}."


def _of(own: Sequence[Onset]) -> str:
    """How many levels, moments and seeds there are among so many networks: they are no samples of their own."""
    judged = list(both_judged(own))
    levels = sum(1 for onset in own if list(both_judged([onset])))
    seeds, moments = len({seed for seed, *_ in judged}), len({k for _, k, *_ in judged})
    said = f"{plural(levels, 'level')}, {moments} k, {plural(seeds, 'seed')}"
    return f"{said}; those of one seed come from one dense run"


def _coincide(own: Sequence[Onset]) -> str:
    """At how many levels both begin at one k, of those at which both begin."""
    begun = [
        (a, b) for each in own if (a := each.stable_median()) is not None and (b := each.matching_median) is not None
    ]
    if not begun or max(len(each.tried) for each in own) < 2:
        return ""
    same = sum(stable == matching for stable, matching in begun)
    return f"; both begin at the same median k at {same} of {plural(len(begun), 'level')} at which both do"


def _replayed(findings: TicketFindings, found: Sequence[Onset]) -> Iterator[str]:
    """Whether it matters that copies made later train for fewer steps (P2 figure 4-4)."""
    if not any(each.after == "continue" for each in findings.copies if each.rows):
        return
    replayed = (onset for onset in onsets(findings, "replay") if onset.stable_from() and len(onset.tried) > 1)
    again = {onset.network: onset for onset in replayed}
    both = [(onset, again[onset.network]) for onset in found if onset.network in again and onset.stable_from()]
    told = []
    for name in dict.fromkeys(onset.network.ticket for onset, _ in both):
        own = [(a.stable_median(), b.stable_median()) for a, b in both if a.network.ticket == name]
        if len(own) == 1:
            left, all_again = own[0]
            said = "as with the steps left" if left == all_again else f"with the steps left {_from(left)}"
            told.append(f"{name} is stable {_from(all_again)}, {said}")
        else:
            same = sum(left == all_again for left, all_again in own)
            told.append(f"{name} from the same median k as with the steps left at {same} of {len(own)} levels")
    if told:
        yield f"When copies train all steps again after k: {'; '.join(told)}."


def _from(step: float | None) -> str:
    return "at none of these k" if step is None else f"from {at_k(step)} on"


def _at_rewinding(findings: TicketFindings, found: Sequence[Onset]) -> Iterator[str]:
    """How far training is when networks become stable (P2 section 4.3): errors of the dense network at that k."""
    own = [onset for onset in found if onset.network.dense or onset.network.ticket == findings.imp]
    levels = [onset.network.density for onset in own if not onset.network.dense]
    told = []
    for k in sorted({median for onset in own if (median := onset.stable_median()) is not None}):
        error = _error_at(findings, k)
        there = [onset.network for onset in own if onset.stable_median() == k]
        names = [DENSE] if any(network.dense for network in there) else []
        some = [network.density for network in there if not network.dense]
        names += [f"{findings.imp} at {named_levels(some, levels)} of weights"] if some else []
        if error:
            told.append(f"{error} ({', '.join(names)})")
    dense = findings.dense()
    if told and dense is not None:
        end = f"{100 * (1 - dense.mean):.1f}{SPACE}% at the end"
        yield f"The dense network's test error where networks become stable is {', '.join(told)}; it is {end}."


def _error_at(findings: TicketFindings, k: float) -> str:
    """The dense network's test error at a median k; where it lies between two that were tried, at both."""
    known = [start for start in findings.starts if start.accuracy("test") is not None]
    ends = {max((s.step for s in known if s.step <= k), default=None)}
    ends |= {min((s.step for s in known if s.step >= k), default=None)}
    steps = sorted(end for end in ends if end is not None)
    errors = [Sample.of(_error(start.accuracy("test")) for start in known if start.step == step) for step in steps]
    told = [
        f"{100 * error.mean:.1f}{SPACE}% at {at_k(step)}" for step, error in zip(steps, errors, strict=True) if error
    ]
    if None in ends or not told:
        return ""
    return told[0] if len(told) == 1 else f"between {told[0]} and {told[1]}, for a median of {at_k(k)}"


def _error(accuracy: float | None) -> float | None:
    return None if accuracy is None else 1 - accuracy


def _lost(copies: Sequence[Copies]) -> Iterator[str]:
    named = list(dict.fromkeys(_diverged(each) for each in copies if has_lost(each)))
    if named:
        more = len(named) - NAMED
        some = "; ".join(named[:NAMED]) + (f"; and {more} more" if more > 0 else "")
        yield (
            f"Copies diverged, and took no part in any mean: {some}. Such a replicate counts as neither stable nor "
            "matching, however the copies that are left compare."
        )


def _diverged(each: Copies) -> str:
    level = "" if each.level == 0 else f" at {words.left(each.density)}"
    after = ", all steps again" if each.after == "replay" else ""
    place = f"{each.ticket}{level}, {words.k(each.step or 0)}{after}, seed {each.seed}"
    if each.diverged is not None:
        return f"{place} (before there were copies)"
    gone = len(each.summary["diverged_copies"])
    return f"{place} ({gone} {'copy' if gone == 1 else 'copies'})"
