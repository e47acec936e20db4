from dataclasses import fields

import pytest

from secateurs.core import JobError
from secateurs.jobs import REGISTRY, Graph, Job, JobFunction, Numerics, job

DENSE = Job("train", 1, {"epochs": 2})
FULL = {
    "name": "prune",
    "version": 1,
    "config": {"density": 0.1, "scope": "global"},
    "inputs": {"dense": DENSE},
    "parts": {"magnitude": 1},
    "data": "abc",
    "numerics": Numerics(),
}
OTHER = {
    "name": "prune2",
    "version": 2,
    "config": {"density": 0.1},
    "inputs": {"dense": Job("train", 1, {"epochs": 3})},
    "parts": {"magnitude": 2},
    "data": "abd",
    "numerics": Numerics(threads=2),
}


@pytest.mark.parametrize("field", OTHER)
def test_every_field_is_in_the_key(field):
    assert Job(**(FULL | {field: OTHER[field]})) != Job(**FULL)


def test_these_are_all_the_fields():
    assert {f.name for f in fields(Job)} - {"label", "cost", "group", "where", "key"} == set(FULL)


@pytest.mark.parametrize("numerics", [Numerics("cuda"), Numerics(dtype="float64"), Numerics(threads=4)])
def test_each_of_the_numerics_is_in_the_key(numerics):
    assert Job("train", 1, {}, numerics=numerics) != Job("train", 1, {})


def test_the_name_of_an_input_is_in_the_key():
    assert Job(**(FULL | {"inputs": {"other": DENSE}})) != Job(**FULL)


def test_what_is_for_display_is_not():
    shown = Job(**FULL, label="at 2ep", cost=7.0, group="seed 0", where={"folder": "there"})
    assert shown == Job(**FULL)
    assert hash(shown) == hash(Job(**FULL))
    assert shown.spec["label"] == "at 2ep"


def test_defaults_are_in_the_key():
    """A key that left them out would meet old results when a default changes."""
    assert DENSE.identity["numerics"] == {"device": "cpu", "dtype": "float32", "threads": 1}
    assert Job("train", 1, {"epochs": 2}, {}, {}, "", Numerics("cpu", "float32", 1)) == DENSE


def test_keys_do_not_change_from_one_release_to_the_next():
    assert Job(**FULL).key == "5b7b86870ffe8dd8c56b0942a7f42aff89fbdff483e1d7f7624ef6c8d436778b"


def test_the_config_is_a_copy():
    config = {"sizes": [1]}
    made = Job("train", 1, config)
    config["sizes"].append(2)
    assert made.config == {"sizes": [1]}


def test_a_label_is_never_empty():
    assert DENSE.label == f"train {DENSE.key[:8]}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Job("train", 1, {"lr": float("nan")}), "train: config.lr: nan"),
        (lambda: Job("", 1, {}), "needs a name"),
        (lambda: Job("train", 1, {}, cost=float("nan")), "train: cost"),
        (lambda: Numerics("cuda:1"), "give its type"),
        (lambda: Numerics(threads=0), "at least 1"),
        (lambda: Job("toy.summ", 1, {}).function, "did you mean 'toy.sum'"),
        (lambda: Job("toy.sum", 9, {}).function, "version 9 of 'toy.sum' is asked for, the code has 1"),
    ],
)
def test_errors_say_what_and_where(make, message):
    import toy_jobs  # noqa: F401

    with pytest.raises(JobError, match=message):
        make()


def test_a_name_means_one_function(monkeypatch):
    monkeypatch.setitem(REGISTRY, "toy.taken", JobFunction(test_a_label_is_never_empty, 1))
    with pytest.raises(JobError, match=r"'toy.taken' is .*test_job.py:test_a_label_is_never_empty already"):
        job("toy.taken")(test_the_config_is_a_copy)
    job("toy.taken", 2)(test_a_label_is_never_empty)
    assert REGISTRY["toy.taken"].version == 2


def test_a_graph_holds_each_job_once_and_inputs_first():
    def pruned(at):
        return Job("prune", 1, {"at": at}, {"dense": Job("train", 1, {"epochs": 2})})

    last = Job("report", 1, {}, {"b": pruned(2), "a": pruned(1)})
    assert Graph([pruned(2), last, pruned(2)]).jobs == (DENSE, pruned(2), pruned(1), last)


def test_a_graph_may_be_deeper_than_the_stack():
    level = DENSE
    for i in range(3000):
        level = Job("prune", 1, {"level": i}, {"before": level})
    assert len(Graph([level])) == 3001
