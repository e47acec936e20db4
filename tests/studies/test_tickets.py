"""Studies of lottery tickets as graphs: nothing stands in them twice, and an extension adds only what is new."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from secateurs.core import PruningError, RecipeError, SecateursError, TrainingError, derive_seed
from secateurs.studies import Tickets, TicketsPlan, check
from secateurs.studies.dense_runs import DenseConfig
from small_tickets import DILATION, INSTABILITY, TICKETS, tickets


def keys(recipe: Tickets) -> set[str]:
    return {job.key for job in TicketsPlan(recipe).graph().jobs}


def names(recipe: Tickets) -> Counter[str]:
    return Counter(job.name for job in TicketsPlan(recipe).graph().jobs)


def only(*wanted: str, **changes: Any) -> Tickets:
    """The recipe with some of its tickets."""
    return tickets(tickets={name: None for name in TICKETS["tickets"] if name not in wanted}, **changes)


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        (("IMP",), {"ticket_mask": 1 + 2 * 2, "ticket_run": 2 * 3}),  # the first level's mask is the same at each k
        (("one-shot IMP",), {"ticket_mask": 3, "ticket_run": 2 * 3}),
        (("LRR",), {"ticket_mask": 3, "ticket_run": 3}),  # it has no k
        (("magnitude after training",), {"ticket_mask": 3, "ticket_run": 3}),
        (("global random",), {"ticket_mask": 3, "ticket_run": 2 * 3}),
        # a baseline needs IMP's masks, and IMP's runs but the last one
        (("layer-wise random",), {"ticket_mask": 1 + 2 * 2, "ticket_run": 2 * (3 + 2)}),
        (("IMP", "layer-wise random", "random re-initialisation"), {"ticket_mask": 5, "ticket_run": 2 * 3 * 3}),
        # the first level of a chain is one shot at that density
        (("IMP", "one-shot IMP"), {"ticket_mask": 5 + 2, "ticket_run": 2 * (3 + 2)}),
        (("LRR", "magnitude after training"), {"ticket_mask": 3 + 2, "ticket_run": 3 + 2}),
    ],
)
def test_what_tickets_share_is_one_job(wanted: tuple[str, ...], counts: dict[str, int]) -> None:
    assert names(only(*wanted)) == {"dense_run": 1, "state_at": 2, **counts}


def test_the_whole_study_shares_dense_runs_states_and_masks() -> None:
    plan = TicketsPlan(tickets(seeds=[0, 1]))
    chains, shots, randoms = 1 + 2 * 2 + 2, 2, 3  # masks: IMP's, LRR's last two; one shot at levels 2 and 3; random
    runs = 2 * (3 + 2 + 3 + 3 + 3) + 3 + 2
    assert Counter(job.name for job in plan.graph().jobs) == {
        "dense_run": 2,
        "state_at": 2 * 2,
        "ticket_mask": 2 * (chains + shots + randoms),
        "ticket_run": 2 * runs,
    }
    assert len(plan.cells()) == 2 * (2 + 5 * 2 * 3 + 2 * 3)
    assert plan.later == 0
    assert set(plan.grow(plan.dense[0], None)) == set()  # type: ignore[arg-type]


def test_cells_say_what_they_are() -> None:
    plan = TicketsPlan(tickets(at_levels=[1, 3], tickets={"one-shot IMP": {"at_levels": [2], "rewind": ["1ep"]}}))
    found = {(cell.ticket, cell.level, cell.density, cell.rewind and str(cell.rewind)) for cell in plan.cells()}
    assert {("dense", 0, 1.0, "0ep"), ("dense", 0, 1.0, "1ep1it")} <= found
    assert {each[1:] for each in found if each[0] == "IMP"} == {
        (1, 0.8, "0ep"),
        (3, 0.512, "0ep"),
        (1, 0.8, "1ep1it"),
        (3, 0.512, "1ep1it"),
    }
    assert {each[1:] for each in found if each[0] == "LRR"} == {(1, 0.8, None), (3, 0.512, None)}
    assert {each[1:] for each in found if each[0] == "one-shot IMP"} == {(2, 0.64, "1ep")}
    assert {str(at) for _, at in plan.starts} == {"0ep", "1ep", "1ep1it"}
    dense = [cell for cell in plan.cells() if cell.ticket == "dense"]
    assert all(cell.run == plan.dense[cell.seed] and cell.mask is None for cell in dense)


def test_instability_and_dilation_go_on_from_the_runs_that_there_are() -> None:
    plain, wanted = only("IMP"), only("IMP", instability=INSTABILITY, dilation=DILATION)
    assert keys(plain) < keys(wanted)
    new = Counter(job.name for job in TicketsPlan(wanted).graph().jobs if job.key not in keys(plain))
    # two networks at k = 0 and 4it: two more copies each; at 4it three that replay, at 0 that is the same
    # factors of 3 epochs: 0.3 and 0.5 come to 1 and 2 epochs, 1 to the run itself
    assert new == {"ticket_run": 2 * (2 + 2 + 3) + 2 * 3, "compared_run": 3 * 2 * (1 + 2), "throughout_run": 2 * 2}
    cells = {(cell.ticket, cell.level, str(cell.rewind)): cell for cell in TicketsPlan(wanted).cells()}
    ticket = cells["IMP", 2, "1ep1it"]
    assert ticket.compared["continue"][0].inputs["0"] == ticket.run
    assert ticket.compared["replay"][0].inputs["0"] != ticket.run
    at_start = cells["dense", 0, "0ep"]
    assert at_start.compared["continue"] == at_start.compared["replay"]
    assert at_start.compared["continue"][0].inputs["0"] == at_start.run
    assert at_start.dilated.keys() == {1 / 3, 2 / 3, 1.0, 2.0}
    assert at_start.dilated[1.0] == at_start.run
    assert not cells["IMP", 1, "1ep1it"].dilated
    assert not cells["IMP", 1, "0ep"].compared


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"levels": 4}, {"ticket_mask": 2 + 1 + 1 + 1, "ticket_run": 2 * 5 + 2, "state_at": 0, "dense_run": 0}),
        ({"rewind": [0, "4it", 2]}, {"ticket_mask": 2, "ticket_run": 3 + 2 + 9, "state_at": 1, "dense_run": 0}),
        ({"seeds": [0, 5]}, {"ticket_mask": 12, "ticket_run": 2 * 14 + 5, "state_at": 2, "dense_run": 1}),
        ({"tickets": {"shuffled and redrawn": {"shuffled": True, "weights": "redrawn"}}}, {"ticket_run": 2 * 3}),
    ],
)
def test_an_extended_study_adds_only_what_is_new(change: dict[str, Any], new: dict[str, int]) -> None:
    before = keys(tickets())
    after = {job.key: job for job in TicketsPlan(tickets(**change)).graph().jobs}
    assert before <= after.keys()
    assert Counter(job.name for key, job in after.items() if key not in before) == {k: n for k, n in new.items() if n}


@pytest.mark.parametrize("copies", [2, 3])
def test_one_more_copy_adds_only_itself_and_its_pairs(copies: int) -> None:
    instability = {**INSTABILITY, "after": ["continue"], "throughout": None}
    before = keys(only("IMP", instability={**instability, "copies": copies}))
    after = {
        job.key: job for job in TicketsPlan(only("IMP", instability=instability | {"copies": copies + 1})).graph().jobs
    }
    assert before < after.keys()
    new = Counter(job.name for key, job in after.items() if key not in before)
    assert new == {"ticket_run": 2 * 2, "compared_run": 2 * 2 * copies}


def test_every_pair_is_compared_once_at_a_cost_of_its_own() -> None:
    cells = TicketsPlan(only("IMP", instability=INSTABILITY | {"copies": 4})).cells()
    (jobs,) = {
        cell.compared["continue"]
        for cell in cells
        if cell.ticket == "IMP" and cell.compared and str(cell.rewind) == "0ep"
    }
    orders = [0, *(derive_seed("instability", 0, copy) for copy in (1, 2, 3))]
    pairs = list(combinations(orders, 2))
    assert [job.config["order_seeds"] for job in jobs] == [list(pair) for pair in pairs]
    assert [tuple(job.inputs[place].config["seeds"]["order"] for place in "01") for job in jobs] == pairs
    assert len({job.label for job in jobs}) == len({job.cost for job in jobs}) * 6 == 6


def test_what_is_new_in_configs_is_absent_from_those_that_were() -> None:
    jobs = TicketsPlan(only("IMP", instability=INSTABILITY, dilation=DILATION)).graph().jobs
    longer = {job.key for job in jobs if "numbers_only" in job.config}
    cells = TicketsPlan(only("IMP", dilation=DILATION)).cells()
    assert longer == {job.key for cell in cells for factor, job in cell.dilated.items() if factor != 1}


def test_levels_that_are_said_one_by_one_are_the_same_levels() -> None:
    assert keys(tickets(levels=None, densities=[0.8, 0.64, 0.512])) == keys(tickets())


def test_a_moment_that_is_said_twice_is_one() -> None:
    assert keys(tickets(rewind=[0, "3it", 1])) == keys(tickets(rewind=[0, 1]))


def test_jobs_of_other_studies_have_the_configs_that_they_had() -> None:
    said = {"model": "lenet_300_100", "data": "digits", "train": {"epochs": 1}, "seeds": {}, "signals": ["loss"]}
    dumped = DenseConfig.model_validate({**said, "checkpoint_every": 1}).model_dump(mode="json")
    assert dumped.keys() == {*said, "checkpoint_every"}


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"rewind": ["10it"]}, TrainingError, "rewind: 10it lies outside the run of 3 epochs of 3 steps"),
        ({"tickets": {"IMP": {"rewind": ["10it"]}}}, TrainingError, "tickets.IMP.rewind: 10it lies outside"),
        ({"levels": 40}, PruningError, r"levels: level \d+ drops nothing: .* of 1232 weights, no fewer than before"),
        ({"levels": 2, "rate": 0.9999}, PruningError, "levels: level 1 leaves nothing"),
        ({"prune": {"exclude": ["2.weigth"]}}, PruningError, "prune.exclude: .*2.weigth"),
    ],
)
def test_what_cannot_be_run_is_told_when_the_plan_is_made(
    change: dict[str, Any], kind: type[SecateursError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        TicketsPlan(tickets(**change))


def test_all_faults_of_a_recipe_are_told_at_once() -> None:
    faulty: dict[str, Any] = {
        **TICKETS,
        "at_levels": [4],
        "rewind": [0, "4ep"],
        "tickets": {
            "IMP": {"rewind": [1]},
            "dense": {},
            "LRR": {"weights": "trained", "shuffled": True, "rewind": [0], "at_levels": [9]},
            "random": {"search": "random", "shuffled": True},
            "lost": {"search": "random", "weights": "trained"},
        },
        "looks": {"every": "9ep"},
        "instability": {"of": ["IPM", "LRR"], "levels": [2], "throughout": "5ep"},
        "dilation": {"of": ["IMP", "dense"]},
        "reported": [{"source": "P2", "accuracy": 0.9, "ticket": "IMPP"}],
    }
    with pytest.raises(RecipeError) as told:
        check(faulty, "mine")
    lines = str(told.value).splitlines()
    assert all(line.startswith("recipe mine: ") for line in lines)
    for expected in (
        "at_levels: there is no level 4: the last one is 3",
        "rewind: 4ep lies outside the run of 3 epochs",
        "tickets.dense: that is what the network without a mask is called",
        "tickets.LRR.rewind: weights of the end are not rewound",
        "tickets.LRR.shuffled: ",
        "tickets.LRR.at_levels: there is no level 9",
        "tickets.random.shuffled: a random mask is at random places already",
        "tickets.lost.weights: a random mask is found in no trained weights",
        "looks.every: 9ep lies outside the run of 3 epochs",
        "instability.of: unknown ticket 'IPM'; choices: ",
        "instability.of: 'LRR' trains the weights of the end, and starts from no moment",
        "instability.levels: 'LRR' is not trained at level 2: put it into its at_levels",
        "instability.throughout: 5ep lies outside",
        "dilation.levels: say at which levels 'IMP' is meant",
        "dilation.of: 'IMP' starts from no step 0",
        "reported.0.ticket: unknown ticket 'IMPP'; choices: IMP, ",
    ):
        assert any(expected in line for line in lines), (expected, lines)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"levels": None}, "levels: say how many, or densities"),
        ({"densities": [0.5]}, "levels: densities say what each level keeps"),
        ({"levels": None, "densities": [0.5, 0.6]}, "densities: each level keeps less than the one before: 0.6"),
        ({"levels": None, "rate": 0.5}, "rate: of how many levels"),
        ({"looks": {"every": 0}}, "looks.every: looks need some training between them"),
        ({"instability": {"throughout": 0}}, "instability.throughout: copies are compared after some training"),
        ({"tickets": {"IMP": {"search": "iterativ"}}}, "tickets.IMP.search: expected 'iterative'"),
        ({"tickets": {"IMP": {"serch": "iterative"}}}, "tickets.IMP.serch: unknown key; .* did you mean 'search'"),
        ({"prune": {"density": 0.5}}, "prune.density: unknown key"),
        ({"rewind": [1, "1ep"]}, "rewind: says something twice"),
        ({"rewind": [1], "dilation": {"of": ["dense"]}}, "dilation.of: 'dense' starts from no step 0"),
    ],
)
def test_faults_are_told_where_they_stand(change: dict[str, Any], told: str) -> None:
    raw = {name: value for name, value in {**TICKETS, **change}.items() if value is not None}
    with pytest.raises(RecipeError, match=told):
        check(raw, "mine")
