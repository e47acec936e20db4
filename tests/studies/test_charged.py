"""What was spent for a cell, from the rows and summaries of made-up jobs: nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import Moment
from secateurs.jobs import REGISTRY, Context, Graph, Job, Serial, Store, job, run
from secateurs.measure.costs import Emissions
from secateurs.studies.cell_costs import cell_costs
from secateurs.studies.charged import Leg, charged, emissions_of

ENERGY = Emissions(1.0, 0.5, 10.0, 0.6, 0.2, 0.2, True, "a guess", "a mix", "me").to_json()
PER_EPOCH = 10

Tell = Callable[..., Job]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Store, Tell]]:
    """A store, and jobs that log rows and return a summary just as they are told."""
    store = Store(tmp_path / "store")

    @job("told")
    def tell(config: dict[str, Any], inputs: Any, ctx: Context) -> dict[str, Any]:
        for row in config["rows"]:
            ctx.log(row)
        return dict(config["summary"])

    def make(rows: list[dict[str, Any]], summary: dict[str, Any] | None = None, **config: Any) -> Job:
        made = Job("told", 1, {"rows": rows, "summary": summary or {}, **config})
        run(Graph([made]), store, Serial()).raise_for_failures()
        return made

    yield store, make
    REGISTRY.pop("told")


def at(epochs: float) -> Moment:
    return Moment(round(epochs * PER_EPOCH), PER_EPOCH)


DENSE = [
    {"moment": "0ep", "seconds/a": 1.0, "seconds/b": 3.0},
    {"moment": "1ep", "lr": 0.1, "seconds": 10.0, "seconds/a": 1.0, "seconds/b": 3.0, "seconds_validation": 2.0},
    {"moment": "2ep", "lr": 0.1, "seconds": 10.0, "seconds/a": 1.0, "seconds/b": 3.0, "seconds_validation": 2.0},
    {"moment": "3ep", "lr": 0.1, "seconds": 20.0, "seconds/a": 1.0, "seconds/b": 3.0, "seconds_validation": 2.0},
]
"""Of each epoch 4 seconds of training, and 14 of the last."""


@pytest.mark.parametrize(
    ("until", "signals", "seconds", "watching"),
    [
        (None, "", 22.0, 0.0),
        (None, "a", 26.0, 4.0),
        (None, "ab", 38.0, 16.0),
        (0, "", 0.0, 0.0),
        (0, "a", 1.0, 1.0),
        (1, "", 4.0, 0.0),
        (1, "a", 6.0, 2.0),
        (2, "b", 17.0, 9.0),
        (2.5, "", 15.0, 0.0),
        (3, "", 22.0, 0.0),
    ],
)
def test_a_dense_prefix(
    told: tuple[Store, Tell], until: float | None, signals: str, seconds: float, watching: float
) -> None:
    store, make = told
    leg = Leg(make(DENSE), None if until is None else at(until), frozenset(signals))
    spent = charged([leg], store)
    assert spent is not None
    assert (spent.seconds, spent.signals, spent.scoring) == pytest.approx((seconds, watching, 0.0))
    assert spent.emissions is None


def test_a_job_of_several_legs_is_charged_once_and_to_its_latest_moment(told: tuple[Store, Tell]) -> None:
    store, make = told
    dense = make(DENSE)
    legs = [Leg(dense, at(1), frozenset("a")), Leg(dense, at(2), frozenset("b")), Leg(dense, at(1))]
    assert charged(legs, store) == charged([Leg(dense, at(2), frozenset("ab"))], store)
    assert charged([*legs, Leg(dense)], store) == charged([Leg(dense, None, frozenset("ab"))], store)


def test_scoring_counts_wherever_it_is_told(told: tuple[Store, Tell]) -> None:
    store, make = told
    in_a_row = make([{"moment": "1ep", "lr": 1, "seconds": 5.0, "seconds/scoring": 2.0, "seconds/a": 1.0}])
    alone = make([{"moment": "3ep", "seconds/scoring": 2.5}])
    in_the_summary = make([], {"seconds/scoring": 7.0})
    spent = charged([Leg(in_a_row), Leg(alone), Leg(in_the_summary)], store)
    assert spent is not None
    assert (spent.seconds, spent.scoring) == (13.5, 11.5)


def test_a_job_that_tells_nothing_is_charged_with_all_its_seconds(told: tuple[Store, Tell]) -> None:
    store, make = told
    silent = make([{"moment": "1ep", "loss": 2.0}])
    spent = charged([Leg(silent)], store)
    assert spent is not None
    assert spent.seconds == store.entry(silent).seconds


def test_a_job_that_says_that_it_did_nothing_is_charged_with_nothing(told: tuple[Store, Tell]) -> None:
    store, make = told
    spent = charged([Leg(make([], {"seconds/scoring": 0.0}))], store)
    assert spent is not None
    assert (spent.seconds, spent.scoring) == (0.0, 0.0)


def test_nothing_is_known_until_all_is_done(told: tuple[Store, Tell]) -> None:
    store, make = told
    later = Job("told", 1, {"rows": [], "summary": {}, "later": True})
    assert charged([Leg(make(DENSE)), Leg(later)], store) is None


def energetic(store: Store, made: Job, *sittings: dict[str, Any] | None, seconds: float) -> Job:
    """The job as if its meter had said this."""
    import json

    path = store.entry(made).path / "done.json"
    done = json.loads(path.read_text()) | {"measured": list(sittings), "seconds": seconds}
    path.write_text(json.dumps(done))
    return made


def test_energy_goes_with_the_seconds(told: tuple[Store, Tell]) -> None:
    store, make = told
    dense = energetic(store, make(DENSE), ENERGY, ENERGY, seconds=44.0)
    whole = emissions_of(store.entry(dense))
    assert whole is not None
    assert whole.kilowatt_hours == 2.0
    spent = charged([Leg(dense)], store)
    assert spent is not None
    assert spent.emissions is not None
    assert spent.emissions.kilowatt_hours == pytest.approx(1.0), "22 of 44 seconds"
    other = energetic(store, make([{"moment": "1ep", "seconds": 1.0}]), ENERGY, seconds=4.0)
    both = charged([Leg(dense), Leg(other)], store)
    assert both is not None
    assert both.emissions is not None
    assert both.emissions.kilowatt_hours == pytest.approx(1.25)


def test_energy_that_was_not_measured_throughout_is_not_known(told: tuple[Store, Tell]) -> None:
    store, make = told
    dense = energetic(store, make(DENSE), ENERGY, None, seconds=44.0)
    other = energetic(store, make([{"moment": "1ep", "seconds": 1.0}]), ENERGY, seconds=4.0)
    spent = charged([Leg(other), Leg(dense)], store)
    assert spent is not None
    assert spent.emissions is None


FULL = {"multiply_adds_dense": 1000, "multiply_adds": 1000, "weight_sparsity": 0.0}
TENTH = {"multiply_adds_dense": 1000, "multiply_adds": 100, "weight_sparsity": 0.9}


def epochs(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    return [{"moment": f"{epoch}ep", "lr": 0.1, "seconds": 1.0, **more} for epoch in range(first, last + 1)]


def test_what_was_trained_with_how_much(told: tuple[Store, Tell]) -> None:
    """2 epochs dense, 3 with a tenth of the weights: 2.3 epochs of the dense network."""
    store, make = told
    dense = make([{"moment": "0ep", "seconds/a": 1.0}, *epochs(1, 5)], {"costs": FULL})
    mask = make([], {"seconds/scoring": 1.0})
    pruned = make(epochs(3, 5), {"costs": TENTH}, at="2ep", prune={"after": "continue"})
    legs = [Leg(dense, at(2)), Leg(mask), Leg(pruned)]
    found = cell_costs(pruned, legs, store, steps_per_epoch=PER_EPOCH, examples=50)
    assert (found["epochs"], found["density_area"]) == pytest.approx((5.0, 2.3))
    assert found["training_flops"] == pytest.approx(6 * 50 * 2300)
    assert (found["seconds"], found["seconds_scoring"]) == (6.0, 1.0)
    assert found["multiply_adds"] == 100


def test_a_moment_inside_an_epoch_is_counted_to_the_step(told: tuple[Store, Tell]) -> None:
    store, make = told
    dense = make(epochs(1, 3), {"costs": FULL})
    pruned = make(epochs(2, 3), {"costs": TENTH}, at="1ep5it", prune={"after": "continue"})
    legs = [Leg(dense, at(1.5)), Leg(pruned)]
    found = cell_costs(pruned, legs, store, steps_per_epoch=PER_EPOCH, examples=1)
    assert (found["epochs"], found["density_area"]) == pytest.approx((3.0, 1.5 + 0.15))
    again = make(epochs(1, 3), {"costs": TENTH}, at="1ep5it", prune={"after": "replay"})
    found = cell_costs(again, [Leg(dense, at(1.5)), Leg(again)], store, steps_per_epoch=PER_EPOCH, examples=1)
    assert (found["epochs"], found["density_area"]) == pytest.approx((4.5, 1.5 + 0.3))


def test_a_run_that_prunes_itself_is_dense_until_then(told: tuple[Store, Tell]) -> None:
    store, make = told
    automatic = make(epochs(1, 4), {"costs": TENTH, "pruned": "1ep"})
    found = cell_costs(automatic, [Leg(automatic)], store, steps_per_epoch=PER_EPOCH, examples=1)
    assert found["density_area"] == pytest.approx(1.3)


def test_pruned_in_several_rounds(told: tuple[Store, Tell]) -> None:
    """A row says what is left from there on; an epoch that a round cuts in two has a row for each part."""
    store, make = told
    rows = [
        {"moment": "1ep", "density": 0.5, "multiply_adds": 600},
        {"moment": "1ep5it", "lr": 0.1, "seconds": 1.0},
        {"moment": "1ep5it", "density": 0.2, "multiply_adds": 200},
        {"moment": "2ep", "lr": 0.1, "seconds": 1.0},
        *epochs(3, 3),
    ]
    rounds = make(rows, {"costs": TENTH}, at="1ep", prune={"after": "continue"})
    found = cell_costs(rounds, [Leg(rounds)], store, steps_per_epoch=PER_EPOCH, examples=1)
    assert (found["epochs"], found["density_area"]) == pytest.approx((2.0, 0.25 + 0.1 + 0.2))
    assert found["training_flops"] == pytest.approx(6 * (300 + 100 + 200))


def test_rounds_that_begin_inside_an_epoch_are_counted_from_there(told: tuple[Store, Tell]) -> None:
    """From 1ep on, every 5 steps: the dense run is needed to 1ep5it, and the run trains from there to 3ep."""
    store, make = told
    dense = make(epochs(1, 3), {"costs": FULL})
    rows = [
        {"moment": "1ep5it", "density": 0.5, "multiply_adds": 600},
        {"moment": "2ep", "lr": 0.1, "seconds": 1.0},
        {"moment": "2ep", "density": 0.1, "multiply_adds": 100},
        *epochs(3, 3),
    ]
    rounds = make(rows, {"costs": TENTH}, at="1ep", every="0ep5it", prune={"after": "continue"})
    legs = [Leg(dense, at(1.5)), Leg(rounds)]
    found = cell_costs(rounds, legs, store, steps_per_epoch=PER_EPOCH, examples=1)
    assert (found["epochs"], found["density_area"]) == pytest.approx((3.0, 1.5 + 0.25 + 0.1))


def test_a_run_that_prunes_itself_and_trains_all_of_it_again(told: tuple[Store, Tell]) -> None:
    """3 epochs dense, then 4 with a tenth of the weights, at moments that came before."""
    store, make = told
    rows = [{"moment": "0ep", "seconds": 1.0}, *epochs(1, 3), *epochs(1, 4)]
    automatic = make(rows, {"costs": TENTH, "pruned": "3ep"}, prune={"after": "replay"})
    found = cell_costs(automatic, [Leg(automatic)], store, steps_per_epoch=PER_EPOCH, examples=1)
    assert (found["epochs"], found["density_area"]) == pytest.approx((7.0, 3.40))
    untrained = make([{"moment": "0ep", "seconds": 1.0}, *epochs(1, 4)], {"costs": TENTH, "pruned": "0ep"})
    found = cell_costs(untrained, [Leg(untrained)], store, steps_per_epoch=PER_EPOCH, examples=1)
    assert found["density_area"] == pytest.approx(0.4)


def test_what_was_measured_stands_over_what_was_counted(told: tuple[Store, Tell]) -> None:
    store, make = told
    pruned = make(epochs(1, 1), {"costs": {**TENTH, "bytes_peak": None, "seconds": None}})
    measured = make([], {"costs": {**TENTH, "bytes_peak": 77, "seconds": None}}, of="pruned")
    nothing = make([], {"costs": None}, of="nothing")
    later = Job("told", 1, {"rows": [], "summary": {}, "later": True})

    def found(job: Job | None) -> dict[str, Any]:
        return cell_costs(pruned, [Leg(pruned)], store, steps_per_epoch=PER_EPOCH, examples=1, measured=job)

    assert found(measured)["bytes_peak"] == 77
    assert found(measured)["seconds"] == 1.0
    assert found(None)["bytes_peak"] is found(nothing)["bytes_peak"] is found(later)["bytes_peak"] is None
    assert cell_costs(later, [Leg(later)], store, steps_per_epoch=PER_EPOCH, examples=1) == {}
