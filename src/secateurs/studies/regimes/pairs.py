"""The job that compares two copies of one pruned network: linear mode connectivity and CKA (P4 eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from secateurs.core import TrainState, all_finite, under
from secateurs.jobs import Context, Entry, job
from secateurs.measure.states import tensors_of
from secateurs.procedures import DIVERGED, Comparing, passes_of_comparing, similarity, way_between
from secateurs.studies.ended import placed
from secateurs.studies.runs import RunConfig, load_data, located
from secateurs.zoo import Dataset

At = Literal["end", "probe"]
"""When two copies are compared: at the end of retraining, or at the probe on the way."""


class RegimePairConfig(RunConfig):
    """What a comparison follows from, beside the two copies.

    Attributes:
        order_seeds: of the copies.
        at: the end of their retraining, or the probe.
        points: of LMC, ends included.
        samples: training examples that CKA is taken over; all where there are fewer.
        outputs: that CKA is taken of.
        resamples: of the examples, for LMC and CKA each; only a config that says so has it.
    """

    only_where_said: ClassVar[frozenset[str]] = RunConfig.only_where_said | {"resamples"}

    order_seeds: tuple[int, int]
    at: At
    points: int = Field(ge=2)
    samples: int = Field(ge=2)
    outputs: Literal["softmax", "logits"]
    resamples: int = Field(0, ge=0)

    @property
    def how(self) -> Comparing:
        """The same, as procedures take it."""
        softmax, seed = self.outputs == "softmax", self.seeds.order
        return Comparing(self.points, self.samples, softmax=softmax, resamples=self.resamples, seed=seed)


@job("regime_pair", version=1)
def regime_pair(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Compare the copies ``0`` and ``1``: LMC over the whole training set, CKA over a part of it, both unaugmented.

    Batch norms have statistics of their own at each point of the way between the copies, ends included. The summary
    has ``lmc``, ``cka``, or why there is none (``cka_undefined``), the way itself, and how many passes it took.
    Copies that diverged are named and compared with none; where nothing was retrained, since the dense run diverged,
    it says only that. Pauses after LMC and after CKA.

    Raises:
        MeasureError: when the copies are of different architectures, or under different masks.
    """
    c = RegimePairConfig.model_validate(located(config, ctx.where))
    runs = [inputs["0"], inputs["1"]]
    if all(_never_begun(run) for run in runs):
        return {"diverged": runs[0].summary["diverged"]}
    data = load_data(c.data, str(ctx.device))
    copies = [_copy(place, run, c, data, ctx) for place, run in enumerate(runs)]
    lost = [seed for seed, copy in zip(c.order_seeds, copies, strict=True) if copy is None]
    one, other = copies
    if one is None or other is None:
        return {"diverged": None, "diverged_copies": lost, "lmc": None, "cka": None, "cka_undefined": DIVERGED}
    found: dict[str, Any] = dict(ctx.restored[1]) if ctx.restored else {}
    for name, measure in (("way", _way), ("similarity", _similarity)):
        if name not in found:
            found[name] = measure(one, other, c, data)
            ctx.pause_point(lambda: ({}, found))
    way, alike = found["way"], found["similarity"]
    passes = passes_of_comparing(one.model, c.points)
    drawn = {"resampled": {"lmc": way.pop("drawn"), "cka": alike.pop("drawn")}} if c.resamples else {}
    told = {"diverged": None, "diverged_copies": lost, **way, **alike, **drawn}
    return told | {"passes": passes, "seconds": ctx.seconds}


def _never_begun(run: Entry) -> bool:
    """Whether a copy was not retrained at all, since the dense run diverged."""
    return run.summary["diverged"] is not None and "costs" not in run.summary


def _copy(place: int, run: Entry, c: RegimePairConfig, data: Dataset, ctx: Context) -> TrainState | None:
    """A copy as it was then; None where it had diverged."""
    there = run.summary["diverged"] is None if c.at == "end" else run.summary.get("probe") is not None
    if not there:
        return None
    tensors, blank = run.tensors("final" if c.at == "end" else "probe"), c.untrained(data, ctx.device)
    weights = under("model", tensors)
    if not all(map(all_finite, weights.values())):
        return None
    tensors_of(blank.model, weights, f"copy {place + 1}", "regime_pair")  # says where it is another architecture
    return placed(tensors, blank, data)


def _way(one: TrainState, other: TrainState, c: RegimePairConfig, data: Dataset) -> dict[str, Any]:
    """LMC and the way it is measured on."""
    way, drawn = way_between(one, other, data, c.how)
    told = {"lmc": way.lmc, "alphas": list(way.alphas), "errors": list(way.errors), "losses": list(way.losses)}
    return told | ({"drawn": list(drawn)} if c.resamples else {})


def _similarity(one: TrainState, other: TrainState, c: RegimePairConfig, data: Dataset) -> dict[str, Any]:
    """CKA, or why there is none."""
    found = similarity(one, other, data, c.how)
    told = {"cka": found.cka, "cka_undefined": found.undefined}
    return told | ({"drawn": list(found.resampled)} if c.resamples else {})
