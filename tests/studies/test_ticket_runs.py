"""The jobs of lottery tickets, run for real: against the algorithms by hand, interrupted, looked at."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import secateurs
import ticket_main
from secateurs.core import Moment, TrainState, derive_seed, under
from secateurs.how import Mask
from secateurs.jobs import Job, Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.jobs.files import record, write_tensors
from secateurs.measure import error_barrier, evaluate, l2_distance
from secateurs.procedures import copy_of, shuffled, throughout
from secateurs.procedures.tickets import next_mask, random_mask, redrawn, replayed, rewound
from secateurs.studies import TicketCell, Tickets, TicketsPlan
from secateurs.studies.ended import end_of
from secateurs.studies.runs import load_data
from secateurs.train import begin, train
from secateurs.zoo import Dataset
from small_tickets import DILATION, INSTABILITY, TICKETS, tickets


@dataclass(frozen=True)
class Done:
    """A study that was run."""

    plan: TicketsPlan
    store: Store

    def cell(self, ticket: str, level: int, k: str | None) -> TicketCell:
        (found,) = (
            cell
            for cell in self.plan.cells()
            if (cell.ticket, cell.level, cell.rewind and str(cell.rewind)) == (ticket, level, k)
        )
        return found

    def ended(self, job: Job) -> dict[str, Tensor]:
        return {path: value for path, value in end_of(self.store.entry(job)).items() if not path.startswith("optim")}


def finished(recipe: Tickets, root: Path) -> Done:
    plan = TicketsPlan(recipe)
    store = Store(root)
    run(plan.graph(), store, Serial()).raise_for_failures()
    return Done(plan, store)


def only(*wanted: str, **changes: Any) -> Tickets:
    return tickets(tickets={name: None for name in TICKETS["tickets"] if name not in wanted}, **changes)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(bits(value) == bits(other[name]) for name, value in one.items())


def bits(value: Tensor) -> bytes:
    return value.detach().numpy().tobytes()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return finished(
        tickets(looks={"every": "2it"}, instability=INSTABILITY, dilation=DILATION), tmp_path_factory.mktemp("whole")
    )


@dataclass(frozen=True)
class ByHand:
    """P2's algorithms, written out with the procedures alone."""

    recipe: Tickets
    data: Dataset

    def at(self, k: str | int) -> TrainState:
        r = self.recipe
        start = begin(r.model, self.data, r.train, init_seed=0)
        return train(start, self.data, r.train, until=k, order_seed=0)

    def ended(self, start: TrainState, order_seed: int = 0) -> TrainState:
        return train(start, self.data, self.recipe.train, until=self.recipe.train.epochs, order_seed=order_seed)

    def mask(self, ended: TrainState, level: int) -> Mask:
        within = None if ended.mask is None else Mask(ended.mask)
        settings = self.recipe.prune.at_density(1.0)
        return next_mask(ended.model, self.data, settings, 0.8**level, within=within)

    def imp(self, k: str, levels: int) -> TrainState:
        ended = self.at(3)
        for level in range(1, levels + 1):
            ended = self.ended(rewound(self.at(k), self.mask(ended, level), self.recipe.train))
        return ended

    def lrr(self, levels: int) -> TrainState:
        ended = self.at(3)
        for level in range(1, levels + 1):
            ended = self.ended(replayed(ended, self.mask(ended, level), self.recipe.train))
        return ended


@pytest.fixture(scope="module")
def by_hand() -> ByHand:
    recipe = tickets()
    return ByHand(recipe, load_data(recipe.data))


def network(state: TrainState) -> dict[str, Tensor]:
    return dict(state.model.state_dict())


@pytest.mark.parametrize("k", ["0ep", "1ep1it"])
def test_iterative_pruning_with_rewinding_is_algorithm_4(study: Done, by_hand: ByHand, k: str) -> None:
    ended = study.ended(study.cell("IMP", 3, k).run)
    by = by_hand.imp(k, 3)
    assert same(under("model", ended), network(by))
    assert by.mask is not None
    assert Mask.from_tensors(under("mask", ended)) == Mask(by.mask)


def test_learning_rate_rewinding_is_algorithm_2(study: Done, by_hand: ByHand) -> None:
    assert same(under("model", study.ended(study.cell("LRR", 2, None).run)), network(by_hand.lrr(2)))
    at_once = study.cell("magnitude after training", 3, None).run
    ended = by_hand.at(3)
    by = by_hand.ended(replayed(ended, by_hand.mask(ended, 3), by_hand.recipe.train))
    assert same(under("model", study.ended(at_once)), network(by))
    assert study.cell("LRR", 1, None).run == study.cell("magnitude after training", 1, None).run


def test_baselines_are_what_they_are_called(study: Done, by_hand: ByHand) -> None:
    r, k = by_hand.recipe, "1ep1it"
    start = by_hand.at(k)
    imp = Mask.from_tensors(under("mask", study.ended(study.cell("IMP", 3, k).run)))
    expected = {
        "one-shot IMP": rewound(start, by_hand.mask(by_hand.at(3), 3), r.train),
        "random re-initialisation": redrawn(start, imp, by_hand.data, r.train, r.model),
        "layer-wise random": rewound(start, shuffled(imp), r.train),
        "global random": redrawn(start, random_mask(start.model, by_hand.data, 0.512), by_hand.data, r.train, r.model),
    }
    for name, begun in expected.items():
        found = study.ended(study.cell(name, 3, k).run)
        assert same(under("model", found), network(by_hand.ended(begun))), name


@pytest.mark.parametrize("name", TICKETS["tickets"])
def test_every_level_keeps_exactly_what_it_should(study: Done, name: str) -> None:
    for cell in study.plan.cells():
        if cell.ticket == name:
            kept = math.floor(0.8**cell.level * 1232 + 0.5)
            assert cell.mask is not None
            mask = Mask.from_tensors(study.store.entry(cell.mask).tensors("mask"))
            assert mask.kept == kept
            summary = study.store.entry(cell.run).summary
            assert summary["density"] * 1232 == pytest.approx(kept)
            assert summary["alive"] <= kept
            assert summary["diverged"] is None
            assert study.store.entry(cell.mask).summary["layer_densities"] == mask.layer_densities()


def test_only_the_network_and_its_mask_are_kept(study: Done) -> None:
    tensors = study.store.entry(study.cell("IMP", 1, "0ep").run).tensors("final")
    assert {path.split("/")[0] for path in tensors} == {"model", "mask"}


def test_the_state_at_k_is_the_dense_run_s(study: Done, by_hand: ByHand) -> None:
    for (_, k), job in study.plan.starts.items():
        entry = study.store.entry(job)
        state = by_hand.at(str(k))
        assert same(under("model", entry.tensors("state")), network(state))
        found = evaluate(state.model, by_hand.data.task, by_hand.data.test)
        assert entry.summary["test_accuracy"] == found["accuracy"]
        untrained = by_hand.at(0)
        assert entry.summary["l2_from_initialisation"] == l2_distance(state.model, untrained, state)


def test_what_is_rewound_to_the_end_is_the_end_under_the_mask_buffers_and_all(tmp_path: Path) -> None:
    recipe = only("IMP", model={"name": "digits_resnet", "width": 2, "hidden": None}, levels=1, rewind=[3])
    done = finished(recipe, tmp_path)
    final, dense = (done.ended(job) for job in (done.cell("IMP", 1, "3ep").run, done.plan.dense[0]))
    mask = Mask.from_tensors(under("mask", final))
    assert any("running_mean" in name for name in final)
    for name, value in under("model", dense).items():
        expected = value.where(mask[name], 0.0) if name in mask else value
        assert bits(final[f"model/{name}"]) == bits(expected)


def test_copies_differ_in_their_order_alone(study: Done, by_hand: ByHand) -> None:
    r = by_hand.recipe
    order = derive_seed("instability", 0, 1)
    dense, start = study.cell("dense", 0, "1ep1it"), by_hand.at("4it")
    copy = study.ended(dense.compared["continue"][0].inputs["1"])
    assert same(under("model", copy), network(by_hand.ended(start.fork(), order)))  # its optimiser is that of k
    again = study.ended(dense.compared["replay"][0].inputs["1"])
    assert same(under("model", again), network(by_hand.ended(copy_of(start, r.train, "replay"), order)))
    ticket = study.cell("IMP", 2, "1ep1it")
    mask = Mask.from_tensors(under("mask", study.ended(ticket.run)))
    copy = study.ended(ticket.compared["continue"][0].inputs["1"])
    assert same(under("model", copy), network(by_hand.ended(rewound(start, mask, r.train), order)))


@pytest.mark.parametrize("who", ["dense", "IMP"])
@pytest.mark.parametrize("after", ["continue", "replay"])
def test_copies_are_compared_at_their_end(study: Done, by_hand: ByHand, who: str, after: Any) -> None:
    cell = study.cell(who, 0 if who == "dense" else 2, "1ep1it")
    jobs, data = cell.compared[after], by_hand.data
    rows = [row for job in jobs for row in study.store.entry(job).rows()]
    summaries = [study.store.entry(job).summary for job in jobs]
    seeds = [0, derive_seed("instability", 0, 1), derive_seed("instability", 0, 2)]
    pairs = [[seeds[a], seeds[b]] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert [(row["seeds"], row["part"]) for row in rows] == [(p, part) for p in pairs for part in ("train", "test")]
    assert {(row["moment"], row["until"]) for row in rows} == {("1ep1it", "3ep")}
    ends = [under("model", study.ended(jobs[2].inputs[str(place)])) for place in (0, 1)]
    barrier = error_barrier(by_hand.at(0).model, *ends, data.task, data.test, points=3)
    assert rows[-1]["errors"] == list(barrier.errors)
    of_train = [row["instability"] for row in rows if row["part"] == "train"]
    assert [summary["train_instability"] for summary in summaries] == of_train
    assert [summary["stable"] for summary in summaries] == [found < 0.02 for found in of_train]
    assert [summary["diverged_copies"] for summary in summaries] == [[], [], []]
    start = by_hand.at("4it")
    if who == "IMP":
        assert cell.mask is not None
        start = rewound(start, Mask.from_tensors(study.store.entry(cell.mask).tensors("mask")), by_hand.recipe.train)
    far = l2_distance(start.model, by_hand.at(0), start, mask=start.mask)
    assert [summary["l2_from_initialisation"] for summary in summaries] == [far] * 3
    assert [len(summary["l2_to_the_end"]) for summary in summaries] == [2] * 3


@pytest.mark.parametrize("who", ["dense", "IMP"])
def test_instability_throughout_is_the_procedure_s_and_ends_as_at_the_end(
    study: Done, by_hand: ByHand, who: str
) -> None:
    cell = study.cell(who, 0 if who == "dense" else 2, "1ep1it")
    assert cell.throughout is not None
    rows = study.store.entry(cell.throughout).rows()
    assert [row["until"] for row in rows] == ["2ep"] * 6 + ["3ep"] * 6
    assert rows[6:] == [row for job in cell.compared["continue"] for row in study.store.entry(job).rows()]
    start, r = by_hand.at("4it"), by_hand.recipe
    if who == "IMP":
        assert cell.mask is not None
        start = rewound(start, Mask.from_tensors(study.store.entry(cell.mask).tensors("mask")), r.train)
    seeds = (0, *(derive_seed("instability", 0, copy) for copy in (1, 2)))
    (first, _) = throughout(start, by_hand.data, r.train, moments=["2ep", "3ep"], order_seeds=seeds, points=3)
    assert [row["instability"] for row in rows[:6]] == [
        barrier.instability for pair in first.pairs for barrier in pair.barriers.values()
    ]


def test_dilated_training_is_longer_or_shorter(study: Done, by_hand: ByHand) -> None:
    cell = study.cell("IMP", 1, "0ep")
    assert cell.dilated[1.0] == cell.run
    longer = by_hand.recipe.train.dilated(2.0, 3)
    mask = by_hand.mask(by_hand.at(3), 1)
    by = train(rewound(by_hand.at(0), mask, longer), by_hand.data, longer, until=6, order_seed=0)
    longer_run = study.store.entry(cell.dilated[2.0])
    found = evaluate(by.model, by_hand.data.task, by_hand.data.test)
    assert (longer_run.summary["test_loss"], longer_run.summary["test_accuracy"]) == (found["loss"], found["accuracy"])
    assert not list(longer_run.path.glob("*.safetensors")), "numbers are all that is asked of it"
    shorter = study.store.entry(cell.dilated[1 / 3])
    assert [row["epoch"] for row in shorter.rows()] == [1]


def test_looks_are_taken_every_so_often_and_change_nothing(study: Done, by_hand: ByHand, tmp_path: Path) -> None:
    blind = finished(only("IMP", rewind=["4it"]), tmp_path)
    for level, k, steps in ((0, "1ep1it", [0, 2, 4, 6, 8, 9]), (2, "1ep1it", [4, 6, 8, 9])):
        name = "IMP" if level else "dense"
        seen, unseen = study.cell(name, level, k).run, blind.cell(name, level, k).run
        assert seen.key != unseen.key
        assert same(study.ended(seen), blind.ended(unseen))
        rows = study.store.entry(seen).rows()
        looks = [row for row in rows if row.get("looked")]
        assert [row["steps"] for row in looks] == steps
        assert [Moment.parse(row["moment"], 3).steps for row in looks] == steps
        assert [row["epoch"] for row in looks] == [step / 3 for step in steps]
        summary = study.store.entry(seen).summary
        for measure in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
            assert looks[-1][measure] == summary[measure]
        others = [row for row in rows if not row.get("looked")]
        plain = blind.store.entry(unseen).rows()
        assert [{k: v for k, v in row.items() if "seconds" not in k} for row in others] == [
            {k: v for k, v in row.items() if "seconds" not in k} for row in plain
        ]
    cell = study.cell("IMP", 2, "1ep1it")
    first = study.store.entry(cell.run).rows()[0]
    assert cell.mask is not None
    mask = Mask.from_tensors(study.store.entry(cell.mask).tensors("mask"))
    start = rewound(by_hand.at("4it"), mask, by_hand.recipe.train)
    found = evaluate(start.model, by_hand.data.task, by_hand.data.test)
    assert (first["test_loss"], first["test_accuracy"]) == (found["loss"], found["accuracy"])


def test_a_study_that_diverges_says_so_and_trains_nothing_more(tmp_path: Path) -> None:
    instability = {**INSTABILITY, "copies": 2, "levels": [1]}
    done = finished(
        tickets(train={"lr": 1e20}, levels=2, rewind=[0, 2], instability=instability, looks={"every": 1}), tmp_path
    )
    for cell in done.plan.cells():
        assert done.store.entry(cell.run).summary["diverged"] is not None
        if cell.ticket in ("IMP", "LRR", "one-shot IMP"):
            assert done.store.entry(cell.run).summary == {"diverged": "1ep"}
            assert not done.store.entry(cell.run).rows()
        for job in (*(job for jobs in cell.compared.values() for job in jobs), cell.throughout):
            if job is not None and (cell.ticket == "IMP" or cell.rewind != Moment(0, 3)):
                assert done.store.entry(job).summary == {"diverged": "1ep"}
    at_first = done.cell("dense", 0, "0ep")
    compared = done.store.entry(at_first.compared["continue"][0]).summary
    assert len(compared["diverged_copies"]) == 2
    assert compared["train_instability"] is None
    random = done.store.entry(done.cell("global random", 1, "0ep").run).summary
    assert random["diverged"] == "1ep"
    assert "test_accuracy" in random


def broken(done: Done, job: Job) -> None:
    """Make a weight infinite in the end of a run, and take away what follows from it."""
    entry = done.store.entry(job)
    file = entry.path / ("3ep.safetensors" if "checkpoints" in entry.summary else "final.safetensors")
    tensors = end_of(entry)
    tensors["model/1.weight"][0, 0] = math.inf
    write_tensors(file, tensors)
    told = json.loads((entry.path / "done.json").read_text(encoding="utf-8"))
    told["files"][file.name] = record(file)._asdict()
    (entry.path / "done.json").write_text(json.dumps(told), encoding="utf-8")
    for each in done.plan.graph().jobs:
        if job in each.inputs.values():
            shutil.rmtree(done.store.entry(each).path)


def test_what_the_very_last_step_broke_has_diverged(tmp_path: Path) -> None:
    """The dense run's end is infinite though its losses were not: no mask is found there, nothing is trained."""
    done = finished(only("one-shot IMP", levels=1, rewind=[0]), tmp_path)
    cell = done.cell("one-shot IMP", 1, "0ep")
    broken(done, done.plan.dense[0])
    assert cell.mask is not None
    shutil.rmtree(done.store.entry(cell.run).path)
    run(done.plan.graph(), done.store, Serial()).raise_for_failures()
    assert done.store.entry(cell.mask).summary == {"diverged": "3ep"}
    assert done.store.entry(cell.run).summary == {"diverged": "3ep"}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_copy_that_its_last_step_broke_is_named_and_compared_with_none(
    tmp_path: Path, stopping: Callable[[], None], lost: int
) -> None:
    wanted = {"copies": 3, "of": ["dense"], "points": 3}
    done = finished(only(levels=1, rewind=["4it"], instability=wanted), tmp_path)
    jobs = done.cell("dense", 0, "1ep1it").compared["continue"]
    seeds = [0, *(derive_seed("instability", 0, copy) for copy in (1, 2))]
    broken(done, jobs[0].inputs["01"[lost]])
    stopping()
    while run(done.plan.graph(), done.store, Serial()).stopped:
        pass
    for job in jobs:
        entry, own = done.store.entry(job), job.config["order_seeds"]
        gone = [seeds[lost]] if seeds[lost] in own else []
        assert entry.summary["diverged_copies"] == gone
        assert len(entry.rows()) == (0 if gone else 2), "each part once, cut off after each"
        assert len(entry.summary["l2_to_the_end"]) == 2 - len(gone)
        assert (entry.summary["train_instability"] is None) == bool(gone)


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, every run stops at its first point of pause."""

    def begin_to() -> None:
        real = Context.pause_point

        def stop_here(self: Context, save: Any) -> None:
            self._place = replace(self._place, stopping=lambda: True)
            real(self, save)

        monkeypatch.setattr(Context, "pause_point", stop_here)

    return begin_to


def test_a_study_that_is_cut_off_after_every_epoch_gives_the_same_bits(
    tmp_path: Path, stopping: Callable[[], None]
) -> None:
    instability = {**INSTABILITY, "copies": 2, "of": ["IMP", "dense"]}
    recipe = only("IMP", levels=2, rewind=["7it"], looks={"every": "2it"}, checkpoint_every=3, instability=instability)
    whole = finished(recipe, tmp_path / "whole")
    stopping()
    store, sittings = Store(tmp_path / "cut"), 1
    while run(whole.plan.graph(), store, Serial()).stopped:
        sittings += 1
        assert sittings < 200
    assert sittings > 20
    for job in whole.plan.graph().jobs:
        one, other = (each.entry(job) for each in (store, whole.store))
        assert stripped(one.summary) == stripped(other.summary)
        assert [stripped(row) for row in one.rows()] == [stripped(row) for row in other.rows()]
        for name in ("final", "mask", "state", "3ep"):
            if (other.path / f"{name}.safetensors").exists():
                assert same(one.tensors(name), other.tensors(name))


def stripped(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if "seconds" not in name}


def test_a_killed_study_of_imp_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    paths = [str(Path(module.__file__ or "").parents[up]) for module, up in ((secateurs, 1), (ticket_main, 0))]
    process = subprocess.Popen(
        [sys.executable, "-m", "ticket_main", str(tmp_path / "killed")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    held = process.stdout.readline().strip()  # the event: the second level has gone two epochs
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert held == ticket_main.HELD
    whole = finished(ticket_main.imp(), tmp_path / "whole")
    store = Store(tmp_path / "killed")
    middle, last = (whole.cell("IMP", level, "1ep1it").run for level in (2, 3))
    assert store.entry(middle).state == "partial"
    outcome = run(whole.plan.graph(), store, Serial())
    outcome.raise_for_failures()
    assert {middle, last} <= set(outcome.done)
    assert len(outcome.reused) == 5  # the dense run, W_k, two masks, the first level
    for job in whole.plan.graph().jobs:
        names = {"final", "mask", "state", "0ep", "2ep", "3ep"}
        for name in names & {path.stem for path in whole.store.entry(job).path.glob("*.safetensors")}:
            assert same(store.entry(job).tensors(name), whole.store.entry(job).tensors(name))
        assert [stripped(row) for row in store.entry(job).rows()] == [
            stripped(row) for row in whole.store.entry(job).rows()
        ]
