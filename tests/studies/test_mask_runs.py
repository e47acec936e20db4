"""The jobs of the study of methods, run for real: masks, and what is trained with them, to the same bits every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from secateurs.core import PruningError, TrainState
from secateurs.how import Mask, keep_top
from secateurs.jobs import Job, Processes, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.procedures import find_mask, prune
from secateurs.studies import Methods, MethodsPlan, Sweep, mask_runs, runs
from secateurs.studies.charged import charged
from secateurs.studies.methods import Cell
from secateurs.studies.runs import PRELOAD, load_data
from secateurs.train import begin, train
from secateurs.what import magnitude

Make = Callable[..., Methods]
Cells = dict[tuple[str, float, str, int], Cell]


def done(recipe: Methods, root: Path) -> tuple[Store, Cells, dict[int, Job]]:
    """A study that was run: its results, its cells and its dense runs."""
    store, plan = Store(root), MethodsPlan(recipe)
    run(plan.graph(), store, Serial()).raise_for_failures()
    return store, {(c.method, c.density, c.moment, c.seed): c for c in plan.cells(store)}, dict(plan.dense)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def found_mask(store: Store, cell: Cell) -> Mask:
    return Mask.from_tensors(store.entry(cell.mask).tensors("mask"))


def final(store: Store, cell: Cell) -> tuple[dict[str, torch.Tensor], Mask]:
    """The weights and buffers, and the mask, that a run ended with."""
    assert cell.run is not None
    tensors = store.entry(cell.run).tensors("final")
    weights = {k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")}
    return weights, Mask.from_tensors({k.removeprefix("mask/"): v for k, v in tensors.items() if k.startswith("mask/")})


def dense_at(recipe: Methods, until: str, seed: int = 0) -> TrainState:
    """Plain training, without jobs."""
    data = load_data(recipe.data)
    state = begin(recipe.model, data, recipe.train, init_seed=seed)
    return train(state, data, recipe.train, until=until, order_seed=seed)


def same(state: TrainState, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weights[name], value) for name, value in state.model.state_dict().items())


def test_a_study_from_plan_to_results(methods: Make, folder: Path) -> None:
    store, cells, dense = done(methods(), folder / "study")
    measures = {f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy")}
    for job in dense.values():
        entry = store.entry(job)
        assert list(entry.summary["checkpoints"]) == ["0ep", "2ep", "3ep"]
        assert [row["epoch"] for row in entry.rows()] == [0, 1, 2, 3]
        assert all(row["loss"] > 0 and "validation_accuracy" in row for row in entry.rows()[1:])
    for (_, density, _, _), cell in cells.items():
        mask, trained = store.entry(cell.mask), store.entry(cell.run)
        assert mask.summary["diverged"] is None
        assert mask.summary["density"] * 620 == pytest.approx(density * 620)  # 64 inputs, hidden 8 and 6, 10 classes
        assert mask.summary["density"] == found_mask(store, cell).density
        assert mask.summary["seconds/scoring"] > 0
        assert measures <= set(trained.summary)
        assert trained.summary["diverged"] is None
        assert trained.summary["alive"] == density * 620
        assert [row["epoch"] for row in trained.rows()] == [1, 2, 3]  # the whole schedule again, from any moment
        assert [row["lr"] for row in trained.rows()] == pytest.approx([0.05 * 0.97**k for k in range(3)])
    again = run(MethodsPlan(methods()).graph(), store, Serial())
    assert (again.done, len(again.reused)) == ((), 38)


def test_where_masks_are_all_that_is_asked_for_shuffles_are_masks(methods: Make, folder: Path) -> None:
    store, trained, _ = done(methods(), folder / "study")
    _, cells, _ = done(methods(trained=False), folder / "study")
    for place, cell in cells.items():
        plain = found_mask(store, cells["magnitude", *place[1:]])
        if place[0] == "shuffled":
            mask = found_mask(store, cell)
            assert mask != plain
            assert mask.layer_densities() == plain.layer_densities()
            assert mask == final(store, trained[place])[1]
            facts = {"layer_densities", "unit_sparsity", "emptied", "density", "density_of_all_parameters"}
            assert {name: store.entry(cell.mask).summary[name] for name in facts} == {
                name: store.entry(trained[place].run).summary[name] for name in facts
            }


def test_the_dense_run_keeps_its_last_weights(methods: Make, folder: Path) -> None:
    store, _, dense = done(methods(), folder / "study")
    state = dense_at(methods(), "3ep", seed=1)
    found = store.entry(dense[1]).tensors("3ep")
    assert same(state, {name.removeprefix("model/"): value for name, value in found.items()})


@pytest.mark.parametrize("moment", ["0ep", "1ep"])
def test_rewinding_lays_the_mask_of_the_end_on_early_weights(methods: Make, folder: Path, moment: str) -> None:
    """P2 section 5.2, step by step: the mask from the end of training, the weights from step t, the whole schedule."""
    recipe = methods()
    store, cells, _ = done(recipe, folder / "study")
    data, cell = load_data(recipe.data), cells["rewound", 0.2, moment, 0]
    mask = keep_top(magnitude(dense_at(recipe, "3ep").model), 0.2)
    assert found_mask(store, cell) == mask
    state, settings = dense_at(recipe, moment), recipe.methods["rewound"].at_density(0.2)
    state = prune(state, data, settings, recipe.train, mask=mask)
    state = train(state, data, recipe.train, until="3ep", order_seed=0)
    weights, kept = final(store, cell)
    assert same(state, weights)
    assert kept == mask


@pytest.mark.parametrize("moment", ["0ep", "1ep"])
def test_a_method_scores_the_weights_it_prunes(methods: Make, folder: Path, moment: str) -> None:
    """Also between two checkpoints (0ep and 2ep)."""
    recipe = methods()
    store, cells, _ = done(recipe, folder / "study")
    data, cell = load_data(recipe.data), cells["magnitude", 0.5, moment, 1]
    settings = recipe.methods["magnitude"].at_density(0.5)
    state = dense_at(recipe, moment, seed=1)
    assert find_mask(state.model, data, settings.mask, pruning_seed=1) == found_mask(store, cell)
    state = prune(state, data, settings, recipe.train, pruning_seed=1)
    state = train(state, data, recipe.train, until="3ep", order_seed=1)
    assert same(state, final(store, cell)[0])


def test_a_shuffle_keeps_its_method_s_proportions(methods: Make, folder: Path) -> None:
    store, cells, _ = done(methods(), folder / "study")
    for place, cell in cells.items():
        if place[0] == "shuffled":
            _, plain = final(store, cells["magnitude", *place[1:]])
            _, shuffled = final(store, cell)
            assert shuffled != plain
            assert shuffled.layer_densities() == plain.layer_densities()


def test_new_weights_under_the_same_mask(methods: Make, folder: Path) -> None:
    only = {"methods": {"shuffled": None, "rewound": None, "new": {"ablation": "reinitialise"}}, "train": {"lr": 1e-30}}
    recipe = methods(**only, seeds=[0], moments=[0], densities=[0.5])
    store, cells, _ = done(recipe, folder / "new weights")
    (plain, mask), (new, same_mask) = (final(store, cells[name, 0.5, "0ep", 0]) for name in ("magnitude", "new"))
    assert mask == same_mask
    for name in mask:
        assert not (plain[name] == new[name])[mask[name]].any()


def test_going_on_where_it_was_pruned(methods: Make, folder: Path) -> None:
    """``after: continue``, P0's budget; and pruned at the end nothing is trained."""
    changes = {"at the end": {"at": "end"}, "shuffled": None, "rewound": None}
    recipe = methods(prune={"after": "continue"}, methods=changes, moments=["4it"], seeds=[0])
    store, cells, _ = done(recipe, folder / "continue")
    early, late = cells["magnitude", 0.2, "1ep1it", 0], cells["at the end", 0.2, "3ep", 0]
    assert [row["epoch"] for row in store.entry(early.run).rows()] == [2, 3]
    assert store.entry(late.run).rows() == []
    mask = found_mask(store, late)
    for name, value in dense_at(recipe, "3ep").model.state_dict().items():
        assert torch.equal(final(store, late)[0][name], value * mask[name] if name in mask else value)


def test_runs_that_were_cut_off_after_every_epoch_give_the_same_bits(
    methods: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"name": "digits_resnet", "width": 2}
    recipe = methods(model=model, seeds=[0], moments=["4it"], densities=[0.5], prune={"score": "fisher"})
    whole, cells, dense = done(recipe, folder / "whole")
    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store, sittings = Store(folder / "cut"), 0
    while run(MethodsPlan(recipe).graph(), store, Serial()).stopped:
        sittings += 1
        assert sittings < 40
    assert sittings > 10
    names = {"dense_run": ("0ep", "2ep", "3ep"), "mask_run": ("mask",), "masked_run": ("final",)}
    for job in MethodsPlan(recipe).graph().jobs:
        one, two = whole.entry(job), store.entry(job)
        for name in names[job.name]:
            left, right = one.tensors(name), two.tensors(name)
            assert left.keys() == right.keys()
            assert all(left[path].numpy().tobytes() == right[path].numpy().tobytes() for path in left)
        assert timeless(one.summary) == timeless(two.summary)
        assert list(map(timeless, one.rows())) == list(map(timeless, two.rows()))
    assert len(dense) == 1
    assert len(cells) == 3


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("seconds")}


def test_two_workers_give_the_bits_of_one(methods: Make, folder: Path) -> None:
    recipe = methods(seeds=[0], moments=["1ep"], densities=[0.5])
    one, cells, _ = done(recipe, folder / "one worker")
    two = Store(folder / "two workers")
    run(MethodsPlan(recipe).graph(), two, Processes(2, preload=PRELOAD)).raise_for_failures()
    for cell in cells.values():
        left, right = one.entry(cell.run).tensors("final"), two.entry(cell.run).tensors("final")
        assert all(torch.equal(left[path], right[path]) for path in left)
        assert found_mask(one, cell) == found_mask(two, cell)


def test_masks_alone_train_nothing(methods: Make, folder: Path) -> None:
    recipe = methods(trained=False, methods={"rewound": None}, moments=[0], model={"name": "digits_resnet", "width": 2})
    store, cells, dense = done(recipe, folder / "masks")
    assert dense == {}
    assert {store.entry(key).spec["name"] for key in (entry.key for entry in store.entries())} == {
        "mask_run",
        "shuffled_mask",
    }
    for cell in cells.values():
        summary = store.entry(cell.mask).summary
        mask = found_mask(store, cell)
        channels = [unit for name in mask if mask[name].ndim > 2 for unit in mask[name]]
        assert len(summary["unit_sparsity"]) == 101
        assert summary["emptied"] == sum(not unit.any() for unit in channels) / len(channels)


def test_test_data_are_looked_at_once_by_each_run(methods: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = methods(seeds=[0], moments=[0], densities=[0.5], prune={"score": "fisher"}, methods={"shuffled": None})
    data, seen, real = load_data(recipe.data), [], runs.evaluate

    def evaluate(model: Any, task: Any, examples: Any, **options: Any) -> Any:
        seen.append(next(part for part in ("train", "validation", "test") if getattr(data, part) is examples))
        return real(model, task, examples, **options)

    monkeypatch.setattr(runs, "evaluate", evaluate)
    done(recipe, folder / "looked")
    assert sorted(seen) == sorted(["validation"] * 3 + 3 * ["train", "validation", "test"])


# ------------------------------------------------------------------------------- what goes wrong


def test_where_the_dense_run_diverged_there_is_nothing_to_prune(methods: Make, folder: Path) -> None:
    late = {"late": {"scored_at": 0, "at": 2}}
    store, cells, dense = done(
        methods(train={"lr": 1e20}, seeds=[0], densities=[0.5], moments=[0, 2], methods=late), folder / "diverged"
    )
    assert store.entry(dense[0]).summary["diverged"] == "1ep"
    assert list(store.entry(dense[0]).summary["checkpoints"]) == ["0ep"]
    for (method, _, moment, _), cell in cells.items():
        mask, trained = store.entry(cell.mask), store.entry(cell.run)
        untouched = method != "rewound" and (moment == "0ep" or method == "late")
        assert mask.summary["diverged"] == (None if untouched else "1ep")
        assert ("density" in mask.summary) == untouched
        if untouched and moment == "0ep":
            assert trained.summary["diverged"] == "1ep"  # its own training did
            assert len(trained.rows()) == 1
        else:
            assert trained.summary == {"diverged": "1ep", "seconds/scoring": 0.0}
            assert trained.rows() == []


def test_weights_that_break_in_the_very_last_step_have_no_mask(methods: Make, folder: Path) -> None:
    recipe = methods(train={"epochs": 1, "batch_size": 120, "lr": 1e30}, seeds=[0], densities=[0.5], moments=[0])
    store, cells, dense = done(recipe, folder / "last step")
    assert store.entry(dense[0]).summary["diverged"] == "1ep"
    rewound = cells["rewound", 0.5, "0ep", 0]
    assert store.entry(rewound.mask).summary == {"diverged": "1ep"}
    assert store.entry(rewound.run).summary == {"diverged": "1ep", "seconds/scoring": 0.0}


def test_a_network_that_is_pruned_at_the_end_costs_what_came_before(methods: Make, folder: Path) -> None:
    late = {"magnitude": {"at": "end"}, "filters": {"how": "channels", "at": "end"}, "shuffled": None, "rewound": None}
    recipe = methods(seeds=[0], densities=[0.5], moments=[0], prune={"after": "continue"}, methods=late)
    store, cells, _ = done(recipe, folder / "at the end")
    for cell in cells.values():
        before = charged(cell.legs[:-1], store)
        assert cell.legs[-1].job == cell.run
        assert store.entry(cell.run).rows() == []
        assert charged(cell.legs, store) == before


def test_a_score_that_fails_takes_only_its_own_run_along(
    methods: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mask_runs.find_mask

    def fails_at_a_fifth(model: Any, data: Any, settings: Any, **options: Any) -> Mask:
        if settings.density == 0.2:
            raise PruningError("scores of 'fc' are not finite")
        return real(model, data, settings, **options)

    monkeypatch.setattr(mask_runs, "find_mask", fails_at_a_fifth)
    plan, store = MethodsPlan(methods(seeds=[0], moments=[0])), Store(folder / "fails")
    outcome = run(plan.graph(), store, Serial())
    assert sorted(job.label for job in outcome.failed) == [
        "mask of magnitude, density 0.2, scored at 0ep, seed 0",
        "mask of rewound, density 0.2, scored at 3ep, seed 0",
    ]
    for cell in plan.cells(store):
        assert store.entry(cell.run).done == (cell.density == 0.5)


def test_settings_share_masks_and_runs(methods: Make) -> None:
    settings = {"all": {}, "one": {"methods": {"shuffled": None, "rewound": None}}}
    sweep = Sweep(methods(settings=settings))
    assert len(sweep.graph()) == 38
