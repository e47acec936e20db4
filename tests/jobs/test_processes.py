"""Workers in this test process's own pool; what is killed stands in test_kill.py."""

import os
import threading

import pytest
import toy_jobs
from toy_jobs import count, study, total, walker

from secateurs.core import JobError
from secateurs.jobs import REGISTRY, Finished, Graph, Job, JobFunction, Processes, Progress, Started, Store, run

PRELOAD = ("torch",)
TWO = Processes(2, checkpoint_seconds=0, preload=PRELOAD)


def test_both_engines_give_the_same_bytes(store, tmp_path, contents, events):
    other = Store(tmp_path / "other" / "store")
    here, there = run(Graph(study()), store), run(Graph(study()), other, TWO, listener=events.append)
    assert here == here.__class__(**(vars(there) | {"root": store.root}))
    assert contents(store) == contents(other)
    for job in study():  # what a job says comes before its end, whichever worker it was
        mine = [type(event) for event in events if getattr(event, "job", None) == job]
        assert mine[0] is Started
        assert mine[-1] is Finished
        assert set(mine[1:-1]) == {Progress}


def test_workers_are_other_processes_deaf_to_ctrl_c_with_a_device_each(store):
    jobs = [Job("toy.where", 1, {"i": i}) for i in range(4)]
    run(Graph(jobs), store, Processes(2, devices=("cpu:0", "cpu:1"), preload=PRELOAD))
    told = [store.entry(job).summary for job in jobs]
    assert all(each["threads"] == 1 and each["deaf"] for each in told)
    assert {each["device"] for each in told} <= {"cpu:0", "cpu:1"}
    assert len({(each["pid"], each["device"]) for each in told}) == len({each["pid"] for each in told})
    assert os.getpid() not in {each["pid"] for each in told}


def test_failures_and_growth_are_as_in_the_serial_engine(store):
    broken, leaving = Job("toy.fail", 1, {}), Job("toy.exit", 1, {})
    late = total(5, total(1))
    outcome = run(Graph([broken, total(9, broken), leaving, total(1)], lambda job, entry: [late]), store, TWO)
    assert outcome.failed == {broken: "ValueError: the toy is broken", leaving: "SystemExit: 3"}
    assert outcome.skipped == (total(9, broken),)
    assert outcome.done == (total(1), late)


def test_a_worker_that_is_killed_is_named_and_the_rest_is_kept(store):
    killed = Job("toy.killed", 1, {}, {"after": total(1)}, label="the big one")
    with pytest.raises(JobError, match=r"ended by the system .*the big one.* Finished jobs are kept"):
        run(Graph([killed]), store, Processes(1, preload=PRELOAD))
    assert store.entry(total(1)).done
    assert store.entry(killed).state == "partial"  # and its lock is free


def test_what_the_listener_raises_ends_the_workers(store):
    def listener(event):
        raise LookupError("the listener is broken")

    with pytest.raises(LookupError):
        run(Graph([walker(0), walker(1)]), store, TWO, listener=listener)
    assert not [entry for entry in store.entries() if entry.state == "running"]


def test_a_function_that_workers_cannot_import_is_refused(store, monkeypatch):
    def inner(config, inputs, ctx):
        return {}

    monkeypatch.setitem(REGISTRY, "toy.inner", JobFunction(inner, 1))
    with pytest.raises(JobError, match="workers cannot import it; move the job function to the top level"):
        run(Graph([Job("toy.inner", 1, {})]), store, TWO)


def test_a_module_that_fails_in_the_worker_fails_the_job(store, monkeypatch, tmp_path):
    monkeypatch.setattr(toy_jobs, "only_here", count, raising=False)
    monkeypatch.setattr(count, "__qualname__", "only_here")
    monkeypatch.setitem(REGISTRY, "toy.only_here", JobFunction(count, 1))
    made = Job("toy.only_here", 1, {})
    assert "cannot import toy_jobs.only_here" in run(Graph([made]), store, Processes(1, preload=PRELOAD)).failed[made]


def test_runs_work_outside_the_main_thread(store):
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(run(Graph([total(1)]), store, Processes(1, preload=PRELOAD)))
    )
    thread.start()
    thread.join()
    assert outcomes[0].done == (total(1),)


def test_nonsense_is_refused():
    with pytest.raises(JobError, match="n >= 1"):
        Processes(0)
    with pytest.raises(JobError, match="at least one device"):
        Processes(1, devices=())
