"""Dynamic sparsity in a study of methods: what recipes may say, which jobs they become, and what these do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from secateurs.core import Moment, PruningError, RecipeError, TrainingError, under
from secateurs.how import Mask
from secateurs.jobs import Graph, Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.procedures import DynamicImpSettings, RegrowthSettings, dynamic_imp, regrowth
from secateurs.studies import Methods, MethodsPlan, check, dynamic_imp_runs, dynamic_runs, runs
from secateurs.studies.cell_costs import cell_costs
from secateurs.studies.cells import Cell
from secateurs.studies.runs import load_data
from secateurs.train import Seeds, begin

Make = Callable[..., Methods]
ALONE = {"shuffled": None, "rewound": None}
IMP = {"how": "dynamic_imp", "switches": ["4it"]}
DYNAMIC: dict[str, Any] = {
    "RigL": {"how": "dynamic", "every": "2it"},
    "SET": {"how": "dynamic", "grow": "random", "every": "4it", "layers": "uniform"},
    "gradual": {"schedule": "cubic", "steps": 3, "every": "2it", "after": "continue"},
    "IMP": IMP,
    "overlapping": {**IMP, "overlap": 0.9},
    "redrawn": {**IMP, "reinitialise": True},
    "first random": {**IMP, "first": "random"},
    "by gradient": {**IMP, "grow": "gradient"},
    "twice": {**IMP, "switches": ["2it", "5it"], "grow": "random", "scope": "layer"},
    **ALONE,
}


def cells_of(recipe: Methods, root: Path) -> dict[str, Cell]:
    return {cell.method: cell for cell in MethodsPlan(recipe).cells(Store(root))}


# ---------------------------------------------------------------------------------------- schema

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"how": "dynamic", "evry": 1}, "methods.new.evry: unknown key; choices: every, exclude, fraction, grow, how, "),
    ({"how": "dynamic", "density": 0.1}, "methods.new.density: densities are the study's: put 0.1 among its densities"),
    ({"how": "dynamic", "every": 0}, "methods.new.every: updates need some training between them: say 100it"),
    ({"how": "dynamic", "every": 9}, "methods.new.every: 9 lies outside the run of 3 epochs"),
    ({"how": "dynamic", "grow": "imp"}, "methods.new.grow: expected 'gradient' or 'random', got 'imp'"),
    ({"how": "dynamic", "until": 1.5}, "methods.new.until: expected a number of at most 1.0, got 1.5"),
    ({"how": "dynamic", "ablation": "shuffle"}, "methods.new.ablation: ablation is for masks (how: masks)"),
    ({"grow": "random"}, "methods.new.grow: grow is for dynamic (how: dynamic)"),
    ({"how": "dynamic_imp"}, "methods.new.switches: is missing"),
    ({**IMP, "switches": [7]}, "methods.new.switches.0: 7 lies outside the run of 3 epochs"),
    ({**IMP, "frist": "imp"}, "methods.new.frist: unknown key; choices: exclude, first, grow, how, overlap, "),
    ({**IMP, "overlap": 2}, "methods.new.overlap: expected a number of at most 1.0, got 2"),
    ({**IMP, "grow": "random", "reinitialise": True}, "methods.new: reinitialise: what is grown by random was not"),
]


@pytest.mark.parametrize(("said", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_fault_is_told_with_its_path(methods: Make, said: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as told:
        methods(methods={"new": said})
    assert str(told.value).startswith(f"recipe tiny: {message}")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"how": "dynamic"}, r"methods.new.every: the mask is to stay from 2ep1it on, .* say less than 100it"),
        ({**IMP, "switches": ["9it"]}, r"methods.new.switches: 3ep leaves nothing of the run of 3 epochs"),
        ({**IMP, "switches": ["5it", "1ep"]}, r"methods.new.switches: 1ep does not come after 1ep2it"),
    ],
)
def test_what_takes_the_steps_of_an_epoch_is_told_with_its_path(methods: Make, said: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        MethodsPlan(methods(methods={"new": said, **ALONE}))


def test_what_the_network_does_not_bear_is_refused(methods: Make) -> None:
    sparse = {"new": {"how": "dynamic", "every": 1, "layers": "uniform"}, "magnitude": None, **ALONE}
    message = r"methods.new: density 0.005 leaves 3.weight, 5.weight empty, and layers keep their counts"
    with pytest.raises(PruningError, match=message):
        MethodsPlan(methods(densities=[0.5, 0.005], methods=sparse))
    for said in ({"how": "dynamic", "every": 1}, IMP):
        with pytest.raises(PruningError, match=r"methods.new.exclude: .*'fcc'"):
            MethodsPlan(methods(methods={"new": {**said, "exclude": ["fcc"]}, **ALONE}))
    with pytest.raises(RecipeError, match=r"methods.new.how: trains in between, and trained is false"):
        methods(trained=False, methods={"new": IMP})


def test_it_takes_what_it_can_of_what_is_common_and_is_written_as_it_was(methods: Make) -> None:
    common = {"scope": "layer", "exclude": ["1"], "ablation": "shuffle"}
    made = methods(prune=common, methods={**DYNAMIC, "gradual": None})
    assert made.methods["IMP"].model_fields_set >= {"scope", "exclude"}
    assert made.methods["IMP"].exclude == made.methods["RigL"].exclude == ("1",)
    again = check(yaml.safe_load(yaml.safe_dump(made.model_dump(mode="json"))), "again")
    assert again == made
    assert made.model_dump()["methods"]["RigL"] == DYNAMIC["RigL"]


# ---------------------------------------------------------------------------------------- jobs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dynamic")


@pytest.fixture
def recipe(methods: Make) -> Methods:
    return methods(seeds=[0], densities=[0.3], moments=[0], methods=DYNAMIC, curves=True)


@pytest.fixture
def done(recipe: Methods, root: Path) -> tuple[Store, dict[str, Cell]]:
    """The study, run once for all tests."""
    store = Store(root)
    run(MethodsPlan(recipe).graph(), store, Serial()).raise_for_failures()
    return store, cells_of(recipe, root)


def job_of(cell: Cell) -> Job:
    assert cell.run is not None
    return cell.run


def ended(store: Store, cell: Cell) -> tuple[dict[str, torch.Tensor], Mask]:
    tensors = store.entry(job_of(cell)).tensors("final")
    return under("model", tensors), Mask.from_tensors(under("mask", tensors))


def test_variants_share_what_they_have_in_common(recipe: Methods, tmp_path: Path) -> None:
    cells = cells_of(recipe, tmp_path)
    plain = cells["IMP"]
    names = [leg.job.name for leg in plain.legs]
    assert names == ["dense_run", "mask_run", "dynamic_phase", "dynamic_phase", "phase_mask", "dynamic_phase"]
    assert plain.legs[0].until == Moment(4, 3)
    assert plain.mask is None
    for name in ("overlapping", "redrawn", "by gradient"):
        own = {leg.job.key for leg in cells[name].legs} - {leg.job.key for leg in plain.legs}
        assert len(own) == 2, "the second mask and what is trained with it"
    other = cells["first random"]
    assert other.legs[0].job.name == "mask_run"
    assert job_of(cells["RigL"]).inputs == {}
    static = MethodsPlan(recipe.model_copy(update={"methods": {"RigL": recipe.methods["RigL"]}}))
    assert [job.name for job in static.graph().jobs] == ["dense_run", "dynamic_run"]
    assert not {job.name for job in Graph(other.jobs).jobs} & {"dense_run"}


def test_they_do_what_the_procedures_do(recipe: Methods, done: tuple[Store, dict[str, Cell]]) -> None:
    store, cells = done
    data, seeds = load_data(recipe.data), Seeds()
    for name in ("RigL", "SET"):
        said = {key: value for key, value in DYNAMIC[name].items() if key != "how"}
        state = begin(recipe.model, data, recipe.train, init_seed=0)
        state = regrowth(state, data, RegrowthSettings(density=0.3, **said), recipe.train)
        weights, mask = ended(store, cells[name])
        assert all(torch.equal(weights[key], value) for key, value in state.model.state_dict().items()), name
        assert mask == Mask(state.mask or {})
    for name in ("IMP", "overlapping", "redrawn", "first random", "by gradient", "twice"):
        said = {key: value for key, value in DYNAMIC[name].items() if key != "how"}
        found = dynamic_imp(
            recipe.model, data, DynamicImpSettings(density=0.3, **said), recipe.train, seeds=seeds
        ).state
        weights, mask = ended(store, cells[name])
        assert all(torch.equal(weights[key], value) for key, value in found.model.state_dict().items()), name
        assert mask == Mask(found.mask or {})


def test_updates_are_logged(done: tuple[Store, dict[str, Cell]]) -> None:
    store, cells = done
    entry = store.entry(job_of(cells["RigL"]))
    updates = [row for row in entry.rows() if "drop_fraction" in row]
    assert [row["moment"] for row in updates] == ["0ep2it", "1ep1it", "2ep"]
    assert all(row["distance_to_last"] > 0 for row in updates)
    assert updates[0]["distance_to_first"] == updates[0]["distance_to_last"]
    assert entry.summary["updates"] == 3
    assert entry.summary["distance_to_first"] == updates[-1]["distance_to_first"]
    looked = [row["moment"] for row in entry.rows() if "validation_accuracy" in row]
    assert looked == ["1ep", "2ep", "3ep"]
    shares = {name: store.entry(job_of(cells[name])).summary["overlap"] for name in ("IMP", "overlapping")}
    assert shares["overlapping"] == pytest.approx(0.9, abs=0.01) or shares["IMP"] >= 0.9


def test_what_a_cell_took(recipe: Methods, done: tuple[Store, dict[str, Cell]]) -> None:
    """One budget; the area under the curve is the density's, and dynamic IMP also pays for its dense trainings."""
    store, cells = done

    def costs(name: str) -> dict[str, Any]:
        cell = cells[name]
        return cell_costs(job_of(cell), cell.legs, store, steps_per_epoch=3, examples=120)

    dense = store.entry(MethodsPlan(recipe).dense[0]).summary["costs"]["multiply_adds"]
    for name in ("RigL", "SET"):
        found = costs(name)
        assert found["epochs"] == 3
        assert found["density_area"] == pytest.approx(3 * 0.3, rel=0.01)
        assert found["training_flops"] == pytest.approx(6 * 120 * 3 * found["multiply_adds"])
        assert found["multiply_adds"] < dense
    gradual = costs("gradual")
    assert gradual["epochs"] == 3
    left = [1, 0.3 + 0.7 * (2 / 3) ** 3, 0.3 + 0.7 / 27, 0.3]
    assert gradual["density_area"] == pytest.approx((2 * left[0] + 2 * left[1] + 2 * left[2] + 3 * left[3]) / 3, 0.01)
    sparse, first = 3 * 0.3, 4 / 3
    assert costs("IMP")["epochs"] == pytest.approx(6)
    assert costs("IMP")["density_area"] == pytest.approx(3 + sparse, rel=0.01)
    assert costs("first random")["density_area"] == pytest.approx(3 - first + sparse, rel=0.01)


def test_cut_off_after_every_part_it_all_gives_the_same_bits(
    recipe: Methods, done: tuple[Store, dict[str, Cell]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = done
    real = Context.pause_point

    def stop_here(self: Context, save: Any) -> None:
        self._place = replace(self._place, stopping=lambda: True)
        real(self, save)

    monkeypatch.setattr(Context, "pause_point", stop_here)
    store, sittings = Store(tmp_path), 0
    wanted = [job_of(cell) for name, cell in cells_of(recipe, tmp_path).items() if name in ("RigL", "IMP")]
    while run(Graph(tuple(wanted)), store, Serial()).stopped:
        sittings += 1
        assert sittings < 60
    assert sittings > 10
    for job in wanted:
        one, two = whole.entry(job), store.entry(job)
        left, right = one.tensors("final"), two.tensors("final")
        assert left.keys() == right.keys()
        assert all(left[path].numpy().tobytes() == right[path].numpy().tobytes() for path in left)
        assert timeless(one.summary) == timeless(two.summary)
        assert list(map(timeless, one.rows())) == list(map(timeless, two.rows()))


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("seconds")}


def test_where_training_diverges_nothing_follows(methods: Make, tmp_path: Path) -> None:
    chosen = {name: DYNAMIC[name] for name in ("RigL", "IMP", "first random")}
    broken = methods(
        seeds=[0], densities=[0.3], moments=[0], train={"lr": 1e30}, methods={**chosen, "magnitude": None, **ALONE}
    )
    store = Store(tmp_path)
    run(MethodsPlan(broken).graph(), store, Serial()).raise_for_failures()
    for cell in MethodsPlan(broken).cells(store):
        assert store.entry(job_of(cell)).summary["diverged"] is not None


def alone(methods: Make, said: dict[str, Any]) -> Methods:
    return methods(seeds=[0], densities=[0.3], moments=[0], methods={"new": said, "magnitude": None, **ALONE})


@pytest.mark.parametrize(("moment", "count"), [("2it", 0), ("3it", 1), ("4it", 1), ("6it", 2), ("8it", 3)])
def test_updates_that_were_made_are_counted(
    methods: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, count: int
) -> None:
    """A run that breaks before, at or after one: those that came before count, and no others are told."""
    store = Store(tmp_path)
    broken_at(monkeypatch, moment)
    (cell,) = MethodsPlan(alone(methods, {**DYNAMIC["RigL"], "grow": "random"})).cells(store)
    run(Graph(cell.jobs), store, Serial()).raise_for_failures()
    entry = store.entry(job_of(cell))
    assert entry.summary["diverged"] is not None
    assert entry.summary["updates"] == count
    assert sum("drop_fraction" in row for row in entry.rows()) == count


def test_what_the_last_step_of_a_phase_breaks_has_diverged(
    methods: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, "4it")
    store = Store(tmp_path)
    (cell,) = MethodsPlan(alone(methods, {**IMP, "first": "random"})).cells(store)
    run(Graph(cell.jobs), store, Serial()).raise_for_failures()
    told = [store.entry(leg.job).summary["diverged"] for leg in cell.legs]
    assert told == [None, *["1ep1it"] * 4]


def test_a_gradient_of_a_phase_that_is_not_finite_is_no_mask(
    methods: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_imp_runs, "phase_mask", lambda *_: None)
    store = Store(tmp_path)
    (cell,) = MethodsPlan(alone(methods, {**IMP, "first": "random", "grow": "gradient"})).cells(store)
    run(Graph(cell.jobs), store, Serial()).raise_for_failures()
    told = [store.entry(leg.job).summary["diverged"] for leg in cell.legs]
    assert told == [None, None, None, "1ep1it", "1ep1it"]


def broken_at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The last step of the part of an epoch that comes to a moment breaks the network; the losses are sound."""
    real = runs.one_epoch

    def one_epoch(state: Any, *args: Any, **options: Any) -> Any:
        begun, at = state.moment, Moment.parse(moment, state.moment.steps_per_epoch)
        ended = real(state, *args, **options)
        if begun < at <= ended.moment:
            with torch.no_grad():
                next(ended.model.parameters())[0] = torch.nan
        return ended

    for module in (dynamic_runs, dynamic_imp_runs, runs):
        monkeypatch.setattr(module, "one_epoch", one_epoch)
