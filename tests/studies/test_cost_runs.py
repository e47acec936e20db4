"""What networks cost, measured by jobs of a study: their keys, their numbers, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from secateurs.core import Batch
from secateurs.jobs import Serial, Store, run
from secateurs.measure.costs import Costs, costs, peak_memory
from secateurs.procedures import early_pruning
from secateurs.studies import Choice, EarlyPeriods, EarlyPeriodsStudy
from secateurs.studies.charged import Leg, charged
from secateurs.studies.runs import load_data
from secateurs.train import Seeds
from secateurs.zoo import build_model

Make = Callable[..., EarlyPeriods]
MEASURED = {"repeats": 2, "memory": True}


def done(study: EarlyPeriodsStudy, folder: Path) -> Store:
    store = Store(folder)
    run(study.graph(), store, Serial()).raise_for_failures()
    return store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


def test_nothing_is_measured_unless_said(recipe: Make) -> None:
    study = EarlyPeriodsStudy(recipe())
    assert "costs_run" not in {job.name for job in study.graph().jobs}
    assert study.costs(study.dense[0]) is None


def test_what_is_measured_has_no_say_in_other_keys(recipe: Make) -> None:
    plain = {job.key for job in EarlyPeriodsStudy(recipe()).graph().jobs}
    graph = EarlyPeriodsStudy(recipe(costs=MEASURED)).graph()
    assert plain == {job.key for job in graph.jobs if job.name != "costs_run"}
    more = {job.key for job in graph.jobs if job.name == "costs_run"}
    assert len(more) == 1 + 2 * 2, "the dense networks of all seeds cost the same: one job"
    other = EarlyPeriodsStudy(recipe(costs={"repeats": 3, "memory": True})).graph()
    assert not more & {job.key for job in other.jobs}


@pytest.mark.parametrize("repeats", [1, -1])
def test_one_pass_has_no_spread(recipe: Make, repeats: int) -> None:
    from secateurs.core import RecipeError

    with pytest.raises(RecipeError, match=r"costs\.repeats"):
        recipe(costs={"repeats": repeats})


def test_masks(recipe: Make, folder: Path) -> None:
    """Counted by each run itself, measured by jobs beside it; a trigger's run too, which the graph grew by."""
    made = recipe(costs=MEASURED, seeds=[0], train={"optimizer": {"name": "adam"}, "lr": 0.001})
    study = EarlyPeriodsStudy(made)
    store = done(study, folder / "masks")
    choices = study.choices(store)
    assert [str(choice.moment) for choice in choices if choice.seed == 0] == ["0ep", "2ep", "1ep"]
    dense = Costs.from_json(_told(store, study.costs(study.dense[0])))
    assert (dense.weight_sparsity, dense.multiply_adds, dense.batch_dense) == (0.0, dense.multiply_adds_dense, None)
    data = load_data(made.data)
    network = build_model(made.model, data.input_shape, data.num_classes, seed=0)
    batch = next(iter(data.train.batches(50, 50)))
    assert dense.bytes_peak == peak_memory(network, data.task, batch, optimizer=torch.optim.Adam)
    for choice in choices:
        measured = Costs.from_json(_told(store, choice.costs))
        assert measured.weight_sparsity == pytest.approx(0.7)
        assert measured.bytes_peak == measured.bytes_peak_dense == dense.bytes_peak, "a mask saves no memory"
        assert measured.batch is not None
        assert measured.batch_dense is not None
        assert (measured.batch.repeats, measured.batch.examples, measured.batch.clock) == (2, 50, "cpu")
        counted = Costs.from_json(store.entry(choice.job).summary["costs"])
        assert counted.batch is counted.bytes_peak is None
        for name in ("parameters", "weights_kept", "nodes_kept", "multiply_adds", "bytes_csr", "bytes_buffers"):
            assert getattr(counted, name) == getattr(measured, name)


def _told(store: Store, job: object) -> dict[str, object]:
    assert job is not None
    found: dict[str, object] = store.entry(job).summary["costs"]  # type: ignore[arg-type]
    return found


def test_channels(recipe: Make, folder: Path) -> None:
    """The network that is measured is the small one, as it would be by hand."""
    made = recipe(
        costs={"memory": True},
        seeds=[0],
        triggers={},
        moments=[1],
        prune={"how": "channels", "score": "filter_norm", "density": 0.5},
    )
    study = EarlyPeriodsStudy(made)
    store = done(study, folder / "channels")
    (choice,) = study.choices(store)
    found = Costs.from_json(_told(store, choice.costs))
    data = load_data(made.data)
    state = early_pruning(made.model, data, made.train, made.prune, at=1, seeds=Seeds())
    reference = build_model(made.model, data.input_shape, data.num_classes, seed=0)
    by_hand = costs(
        state.model,
        data.task,
        next(iter(data.train.batches(50, 50))),
        reference=reference,
        repeats=0,
        optimizer=_momentum,
    )
    assert found == by_hand
    assert 0.3 < found.weight_sparsity < 0.7
    assert found.bytes_peak is not None
    assert found.bytes_peak_dense is not None
    assert found.bytes_peak < found.bytes_peak_dense
    assert found.node_sparsity > 0


def _momentum(parameters: object) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=5e-4)  # type: ignore[arg-type]


def test_a_run_whose_dense_run_diverged_has_no_costs(recipe: Make, folder: Path) -> None:
    made = recipe(costs={"memory": True}, train={"lr": 1e30}, seeds=[0], triggers={}, moments=[2])
    study = EarlyPeriodsStudy(made)
    store = done(study, folder / "diverged")
    (choice,) = study.choices(store)
    summary = store.entry(choice.job).summary
    assert summary["diverged"] is not None
    assert choice.costs is not None
    assert store.entry(choice.costs).done


def test_signals_that_a_trigger_does_not_need_are_not_its_cost(recipe: Make, folder: Path) -> None:
    study = EarlyPeriodsStudy(recipe())
    store = done(study, folder / "signals")
    choice: Choice = next(each for each in study.choices(store) if each.seed == 0 and str(each.moment) == "2ep")
    dense = study.dense[0]
    without = charged([Leg(dense, choice.moment), Leg(choice.job)], store)
    with_one = charged([Leg(dense, choice.moment, frozenset({"fisher_trace"})), Leg(choice.job)], store)
    assert without is not None
    assert with_one is not None
    rows = store.entry(dense).rows()[:3]
    taken = sum(row["seconds/fisher_trace"] for row in rows)
    assert with_one.seconds - without.seconds == pytest.approx(taken)
    assert with_one.signals == pytest.approx(taken)
    assert without.scoring > 0, "the pruned run says what scoring took"
    own = sum(row["seconds"] for row in store.entry(choice.job).rows())
    before = sum(
        row["seconds"] - row["seconds_validation"] - sum(v for k, v in row.items() if k.startswith("seconds/"))
        for row in rows[1:]
    )
    loss = sum(row["seconds/loss"] for row in store.entry(choice.job).rows())
    assert without.seconds == pytest.approx(own - loss + before)


def test_a_batch_of_another_precision_is_measured_as_it_is_trained() -> None:
    from secateurs.studies.cost_runs import _as_trained
    from secateurs.train import TrainSettings
    from secateurs.zoo import Classification

    task = Classification(3)
    settings = TrainSettings(epochs=1, label_smoothing=0.1, temperature=2.0)
    batch = Batch(torch.randn(4, 5), torch.tensor([0, 1, 2, 0]))
    made, network = _as_trained(task, settings, torch.device("cpu")), nn.Linear(5, 3)
    output = made.output(network, batch)
    assert torch.equal(output, network(batch.inputs))
    assert torch.equal(made.loss(output, batch), task.smoothed_loss(output / 2, batch, 0.1))
