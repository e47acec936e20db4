"""Dense runs that end before their schedule does, and what a step with SAM counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import Spec, TrainingError, under
from secateurs.jobs import Graph, Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.measure import evaluate
from secateurs.studies import EarlyPeriods, Sweep
from secateurs.studies.cell_costs import cell_costs
from secateurs.studies.charged import Leg
from secateurs.studies.ended import end_of
from secateurs.studies.estimate import estimate
from secateurs.studies.plan import Planner
from secateurs.studies.runs import MomentConfig, load_data
from secateurs.train import Seeds, begin, train

Make = Callable[..., EarlyPeriods]
LOSS = (Spec("loss", {}),)
SAM = {"train": {"sam": {"rho": 0.05}}}


def planner(made: EarlyPeriods) -> Planner:
    return Planner(made, "cpu", "")


def state_at(p: Planner, dense: Job, at: str) -> Job:
    r = p.recipe
    config = MomentConfig(model=r.model, data=r.data, train=r.train, seeds=Seeds(), at=at)
    return p.job("state_at", config, {"dense": dense}, {}, at, 0.1)


def bits(tensors: dict[str, Any]) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


@pytest.mark.parametrize("changes", [{}, SAM])
@pytest.mark.parametrize("cut_off", [False, True])
def test_it_ends_within_an_epoch_and_is_the_run_until_then(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], cut_off: bool
) -> None:
    made = recipe(**changes)
    p = planner(made)
    dense, whole = p.dense(0, LOSS, until="7it"), p.dense(0, LOSS)
    jobs = [dense, whole, *(state_at(p, each, at) for each in (dense, whole) for at in ("5it", "2ep1it"))]
    if cut_off:
        real = Context.pause_point

        def stop_here(self: Context, save: Any) -> None:
            self._place = replace(self._place, stopping=lambda: True)
            real(self, save)

        monkeypatch.setattr(Context, "pause_point", stop_here)
    store = Store(tmp_path)
    for _ in range(30 if cut_off else 1):
        outcome = run(Graph(jobs), store, Serial())
        outcome.raise_for_failures()
    assert not outcome.stopped
    entry = store.entry(dense)
    data = load_data(made.data)
    state = begin(made.model, data, made.train, init_seed=0)
    state = train(state, data, made.train, until="7it", order_seed=0)
    assert bits(under("model", end_of(entry))) == bits(state.model.state_dict())
    assert list(entry.summary["checkpoints"]) == ["0ep", "2ep", "2ep1it"]
    assert entry.summary["test_accuracy"] == evaluate(state.model, data.task, data.test)["accuracy"]
    assert [row["moment"] for row in entry.rows()] == ["0ep", "1ep", "2ep", "2ep1it"]
    assert "validation_accuracy" in entry.rows()[-1]
    for one, other in zip(jobs[2:4], jobs[4:], strict=True):
        assert bits(store.entry(one).tensors("state")) == bits(store.entry(other).tensors("state"))
    passes = 2 if changes else 1
    costs = cell_costs(dense, [Leg(dense)], store, steps_per_epoch=3, examples=120)
    assert costs["epochs"] == costs["density_area"] == pytest.approx(passes * 7 / 3)
    assert costs["training_flops"] == pytest.approx(6 * 120 * passes * 7 / 3 * costs["multiply_adds_dense"])


def test_an_end_that_is_the_runs_own_is_not_said(recipe: Make) -> None:
    p = planner(recipe())
    whole = p.dense(0, LOSS)
    assert "until" not in whole.config
    assert {p.dense(0, LOSS, until=until).key for until in ("end", 3, "3ep", "9it")} == {whole.key}
    sooner = [p.dense(0, LOSS, until=until) for until in (2, "2ep", "6it")]
    assert {job.key for job in sooner} == {sooner[0].key} != {whole.key}
    assert sooner[0].config == {**whole.config, "until": "2ep"}
    assert (whole.cost, sooner[0].cost, p.dense(0, LOSS, until="7it").cost) == (3, 2, pytest.approx(7 / 3))
    with pytest.raises(TrainingError, match="until: 10it lies outside the run of 3 epochs of 3 steps"):
        p.dense(0, LOSS, until="10it")


def test_sam_counts_twice_and_is_a_part_with_a_version(recipe: Make) -> None:
    plain, sharp = (planner(recipe(**changes)).dense(0, LOSS) for changes in ({}, SAM))
    assert sharp.parts == {**plain.parts, "sam": 1}
    assert (plain.cost, sharp.cost) == (3, 6)
    assert "sam" not in plain.config["train"]
    assert planner(recipe(train={"sam": None})).dense(0, LOSS).key == plain.key
    one, two = (estimate(Sweep(recipe(moments=[0], triggers={}, **changes))) for changes in ({}, SAM))
    assert two.epochs == 2 * one.epochs


def test_a_job_is_of_the_training_that_its_config_says(recipe: Make) -> None:
    p = planner(recipe(**SAM))
    r = p.recipe
    other = r.train.model_copy(update={"sam": None})
    config = MomentConfig(model=r.model, data=r.data, train=other, seeds=Seeds(), at="1ep")
    job = p.job("state_at", config, {}, {}, "", 5.0)
    assert "sam" not in job.parts
    assert job.cost == 5.0
