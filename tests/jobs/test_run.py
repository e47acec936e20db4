import signal

import pytest
import torch
from toy_jobs import study, total

from secateurs.core import JobError
from secateurs.jobs import (
    REGISTRY,
    Failed,
    Finished,
    Graph,
    Grown,
    Job,
    JobFunction,
    Numerics,
    Processes,
    Progress,
    Reused,
    Serial,
    Started,
    Store,
    Warned,
    run,
)
from secateurs.jobs.work import reproducible

BROKEN = Job("toy.fail", 1, {}, label="the broken one")


def ran(store: Store) -> list[str]:
    path = store.root.parent / "ran"
    return path.read_text().splitlines() if path.exists() else []


def test_each_job_is_done_once_ever(store, events):
    jobs = study()
    first = run(Graph([*jobs, *study()]), store, listener=events.append)
    assert len(first.done) == len(ran(store)) - 12 == 5  # two walks pass six epochs each
    assert store.entry(jobs[3]).summary == {"y": 112}
    again = run(Graph(jobs), store, listener=events.append)
    assert (again.done, set(again.reused), again.stopped) == ((), set(first.done), False)
    assert len(ran(store)) == 17


def test_events_tell_the_story_in_order(store, events):
    made = total(5)
    run(Graph([made]), store, listener=events.append)
    run(Graph([made]), store, listener=events.append)
    seconds = store.entry(made).seconds
    assert events == [Started(made), Progress(made, {"y": 5}), Finished(made, seconds), Reused(made)]


def test_a_failing_job_takes_only_its_dependents_along(store, events):
    dependent = total(1, BROKEN)
    beyond = total(2, dependent)
    outcome = run(Graph([BROKEN, beyond, total(7)]), store, listener=events.append)
    assert outcome.failed == {BROKEN: "ValueError: the toy is broken"}
    assert outcome.skipped == (dependent, beyond)
    assert outcome.done == (total(7),)
    assert Failed(BROKEN, "ValueError: the toy is broken") in events
    log = store.entry(BROKEN).log
    assert "Traceback" in log.read_text()
    assert store.entry(BROKEN).state == "partial"
    with pytest.raises(JobError) as error:
        outcome.raise_for_failures()
    for part in ("1 of the jobs failed; 2 that need them were skipped", "the broken one: ValueError", str(log)):
        assert part in str(error.value)


def test_a_failed_job_is_tried_again_and_starts_anew(store):
    run(Graph([BROKEN]), store)
    assert run(Graph([BROKEN]), store).failed
    assert store.entry(BROKEN).rows() == [{"before": 1}]


def test_a_job_that_exits_fails_and_does_not_end_the_run(store):
    leaving = Job("toy.exit", 1, {})
    outcome = run(Graph([leaving, total(1)]), store)
    assert outcome.failed == {leaving: "SystemExit: 3"}
    assert outcome.done == (total(1),)


def test_success_raises_nothing(store):
    run(Graph([total(1)]), store).raise_for_failures()


def test_a_graph_grows_once_per_finished_job(store, events):
    asked = []

    def grow(job, entry):
        asked.append(job)
        y = entry.summary["y"]
        return [total(y, job), total(y, job)] if y < 8 else []

    chain = [total(1)]
    for _ in range(3):
        chain.append(total(2 ** (len(chain) - 1), chain[-1]))
    first = run(Graph([total(1)], grow), store, listener=events.append)
    assert first.done == tuple(chain) == tuple(asked)
    assert [event for event in events if isinstance(event, Grown)] == [Grown((job,)) for job in chain[1:]]
    assert run(Graph([total(1)], grow), store).reused == tuple(chain)  # found done at the start, grown all the same
    assert asked == chain * 2


def test_a_job_grown_on_a_failed_one_is_skipped(store):
    late = total(1, BROKEN)
    outcome = run(Graph([BROKEN, total(3)], lambda job, entry: [late]), store)
    assert outcome.skipped == (late,)


def test_what_grow_or_the_listener_raises_ends_the_run(store):
    def grow(job, entry):
        raise LookupError("no more")

    with pytest.raises(LookupError):
        run(Graph([total(1), total(2)], grow), store)
    assert [store.entry(total(x)).state for x in (1, 2)] == ["done", "absent"]


@pytest.mark.parametrize(
    ("job", "engine", "message"),
    [
        (Job("toy.sum", 2, {}), Serial(), "version 2 of 'toy.sum' is asked for, the code has 1"),
        (Job("toy.none", 1, {}), Serial(), "no job function is called 'toy.none'"),
        (Job("toy.sum", 1, {}, numerics=Numerics("cuda")), Serial(), "made for device 'cuda', the engine has cpu"),
        (Job("toy.sum", 1, {}, numerics=Numerics(threads=2)), Serial(), "made for threads=2, the engine has threads=1"),
        (total(1), Serial("gpu"), "device 'gpu' is not known to torch"),
        (total(1), Processes(2, ("cpu", "cuda:0")), "devices of several types"),
    ],
)
def test_what_could_not_work_is_refused_before_any_work(store, job, engine, message):
    with pytest.raises(JobError, match=message):
        run(Graph([total(8), job]), store, engine)
    assert ran(store) == []


def test_a_damaged_entry_is_made_anew_and_nothing_else(store, contents, events):
    run(Graph(study()), store)
    before = contents(store)
    damaged = store.entry(total(1)).path / "tensors.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:10])
    (damaged.parent / "stray").mkdir()
    lines = len(ran(store))
    outcome = run(Graph(study()), store, listener=events.append)
    assert outcome.done == (total(1),)
    assert [event.text for event in events if isinstance(event, Warned)] == ["its finished entry is damaged: made anew"]
    assert contents(store) == before
    assert len(ran(store)) == lines + 1


def test_the_engine_changes_no_setting_of_the_process(store):
    before = torch.get_num_threads(), torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    torch.set_num_threads(2)
    try:
        run(Graph([made := Job("toy.where", 1, {}), total(1)]), store)
        assert torch.get_num_threads() == 2
        assert store.entry(made).summary["threads"] == 1
    finally:
        torch.set_num_threads(before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert signal.getsignal(signal.SIGINT) == before[2]


def test_global_draws_follow_from_the_job_alone(store, tmp_path):
    torch.manual_seed(1)
    run(Graph([total(1), total(2)]), store)
    other = Store(tmp_path / "other" / "store")
    run(Graph([total(2), total(1)]), other)
    for job in (total(1), total(2)):
        assert torch.equal(store.entry(job).tensors()["drawn"], other.entry(job).tensors()["drawn"])


@pytest.mark.parametrize("kind", ["log", "save", "pause", "summary"])
def test_what_a_job_must_not_say_is_refused_with_the_place(store, monkeypatch, kind):
    def bad(config, inputs, ctx):
        match kind:
            case "log":
                ctx.log({"loss": {"train": torch.zeros(())}})
            case "save":
                ctx.save({}, name="../up")
            case "pause":
                ctx.pause_point(lambda: ({}, {"x": {1}}))
        return {"x": object()}

    monkeypatch.setitem(REGISTRY, "toy.bad", JobFunction(bad, 1))
    (message,) = run(Graph([Job("toy.bad", 1, {})]), store, Serial(checkpoint_seconds=0)).failed.values()
    wanted = {
        "log": "row.loss.train: a Tensor has no JSON",
        "save": "'../up' cannot name a file",
        "pause": "must be JSON",
        "summary": "summary.x: a object",
    }
    assert wanted[kind] in message


def test_a_job_may_change_its_config(store, monkeypatch):
    def greedy(config, inputs, ctx):
        return {"taken": config["list"].pop()}

    monkeypatch.setitem(REGISTRY, "toy.greedy", JobFunction(greedy, 1))
    made = Job("toy.greedy", 1, {"list": [1, 2]})
    run(Graph([made]), store)
    assert made.config == store.entry(made).spec["config"] == {"list": [1, 2]}


def test_non_finite_numbers_are_null_in_rows_and_summary(store, monkeypatch):
    def diverging(config, inputs, ctx):
        ctx.log({"loss": float("nan"), "lr": 0.1})
        ctx.progress(loss=float("inf"))
        (ctx.dir / "sub").mkdir()
        (ctx.dir / "sub" / "own.txt").write_text("mine")
        return {"loss": float("inf")}

    monkeypatch.setitem(REGISTRY, "toy.diverging", JobFunction(diverging, 1))
    made = Job("toy.diverging", 1, {})
    events = []
    run(Graph([made]), store, listener=events.append)
    assert store.entry(made).rows() == [{"loss": None, "lr": 0.1}]
    assert store.entry(made).summary == {"loss": None}
    assert Progress(made, {"loss": None}) in events
    assert '"sub/own.txt"' in (store.entry(made).path / "done.json").read_text()


def test_cuda_is_asked_for_the_same_bits_each_time_and_left_as_it_was():
    def flags():
        backends = torch.backends
        return torch.are_deterministic_algorithms_enabled(), backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32

    before = flags()
    with reproducible(torch.device("cuda")):
        assert flags() == (True, False, False)
    assert flags() == before
    with reproducible(torch.device("cpu")):
        assert flags() == before
