import errno
import os
import signal

import pytest
import torch
from toy_jobs import study, total, walker

from secateurs.core import JobError, StoreError
from secateurs.jobs import (
    Context,
    Failed,
    Finished,
    Graph,
    Grown,
    Job,
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
from secateurs.jobs import checkpoint as checkpoints

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


# A full disk, wherever it shows first.


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["replace", "fsync", "mkdir", "metrics"])
def test_a_full_disk_fails_the_job_and_harms_nothing_else(store, contents, place):
    run(Graph([walker(0)]), store)
    before = contents(store)
    with pytest.MonkeyPatch.context() as patch:
        match place:
            case "replace":
                patch.setattr("pathlib.Path.replace", full)
            case "fsync":
                patch.setattr("os.fsync", full)
            case "mkdir":
                patch.setattr("pathlib.Path.mkdir", full)
            case "metrics":
                patch.setattr(Context, "log", lambda self, row: full_write(self, row))
        outcome = run(Graph([walker(0), walker(1)]), store)
    (message,) = outcome.failed.values()
    assert "No space left on device" in message
    assert outcome.reused == (walker(0),)
    assert not store.entry(walker(1)).done
    assert {name: data for name, data in contents(store).items() if walker(1).key not in name} == before
    assert run(Graph([walker(1)]), store).done == (walker(1),)


REAL_LOG = Context.log


def full_write(self, row):
    """The system takes part of a row and no more."""
    if row["epoch"] == 2:

        class Full:
            def write(self, line):
                return len(line) - 1

            def __getattr__(self, name):
                return getattr(real, name)

        real, self._metrics = self._metrics, Full()
    REAL_LOG(self, row)


def test_a_full_disk_says_what_to_do(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="No space left on device; free some space and run again"):
            Store(store.root.parent / "other")


# Stopping and going on, in this process.


@pytest.fixture
def stopping_at(monkeypatch):
    """Press Ctrl-C when a walk logs a given epoch."""

    def arrange(epoch, times=1):
        def log(self, row):
            REAL_LOG(self, row)
            if row.get("epoch") == epoch:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Context, "log", log)

    return arrange


@pytest.fixture
def straight(tmp_path, contents):
    """What a walk leaves that nobody disturbs."""
    store = Store(tmp_path / "straight" / "store")
    run(Graph([walker(0)]), store)
    return contents(store)


def test_ctrl_c_keeps_a_checkpoint_and_the_next_run_goes_on(
    store, stopping_at, straight, contents, events, monkeypatch
):
    stopping_at(2)
    outcome = run(Graph([walker(0), walker(1)]), store)
    assert (outcome.done, outcome.stopped) == ((), True)
    assert store.entry(walker(0)).state == "partial"
    assert store.entry(walker(1)).state == "absent"
    monkeypatch.setattr(Context, "log", REAL_LOG)
    before = len(ran(store))
    again = run(Graph([walker(0)]), store, listener=events.append)
    assert (again.done, again.stopped) == ((walker(0),), False)
    assert ran(store)[before:] == ["walk 0", "walk 0 passed 3", "walk 0 passed 4", "walk 0 passed 5"]
    assert contents(store) == straight
    assert "goes on from its last checkpoint, 3 rows" in store.entry(walker(0)).log.read_text()


def test_a_second_ctrl_c_ends_at_once(store, stopping_at, straight, contents, monkeypatch):
    stopping_at(3, times=2)
    outcome = run(Graph([walker(0)]), store, Serial(checkpoint_seconds=0))
    assert outcome.stopped
    assert ran(store)[-1] == "walk 0 passed 2"
    monkeypatch.setattr(Context, "log", REAL_LOG)
    run(Graph([walker(0)]), store)
    assert contents(store) == straight


def test_a_stop_that_comes_too_late_to_stop_anything_is_none(store, stopping_at):
    made = total(1)
    outcome = run(
        Graph([made]),
        store,
        listener=lambda event: signal.raise_signal(signal.SIGINT) if event == Started(made) else None,
    )
    assert (outcome.done, outcome.stopped) == ((made,), False)


def cut_off(store, monkeypatch, stopping_at):
    stopping_at(3)
    run(Graph([walker(0)]), store)
    monkeypatch.setattr(Context, "log", REAL_LOG)
    return store.entry(walker(0)).path


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: truncate(path / "resume-0.safetensors"), "resume-0.safetensors: damaged: expected"),
        (lambda path: truncate(path / "early.safetensors"), "early.safetensors: not as it was"),
        (lambda path: (path / "early.safetensors").unlink(), "early.safetensors: not as it was"),
        (lambda path: (path / "metrics.jsonl").write_text("{}\n"), "fewer rows than the last checkpoint"),
        (lambda path: (path / "metrics.jsonl").unlink(), "metrics.jsonl: cannot be"),
        (lambda path: (path / "resume.json").write_text("{"), "resume.json: damaged"),
        (lambda path: (path / "resume.json").write_text('{"file": "x"}'), "resume.json: damaged"),
    ],
)
def test_a_damaged_checkpoint_means_to_start_anew(
    store, monkeypatch, stopping_at, straight, contents, events, harm, said
):
    path = cut_off(store, monkeypatch, stopping_at)
    harm(path)
    run(Graph([walker(0)]), store, listener=events.append)
    assert contents(store) == straight
    (warned,) = (event.text for event in events if isinstance(event, Warned))
    assert said in warned
    assert said in store.entry(walker(0)).log.read_text()


def test_what_came_after_the_checkpoint_is_taken_back(store, monkeypatch, stopping_at, straight, contents):
    path = cut_off(store, monkeypatch, stopping_at)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch":4,"norm":0}\n{"ep')
    (path / "later.safetensors").write_bytes(b"half")
    (path / ".tensors.safetensors.123.tmp").write_bytes(b"half")
    (path / "resume-1.safetensors").write_bytes(b"half")
    run(Graph([walker(0)]), store)
    assert contents(store) == straight


def test_checkpoints_take_turns_so_that_one_is_always_whole(store, monkeypatch):
    written = []
    real = checkpoints.write_json

    def write_json(path, value):
        written.append((value["file"], sorted(each.name for each in path.parent.glob("resume*"))))
        real(path, value)

    monkeypatch.setattr(checkpoints, "write_json", write_json)
    run(Graph([walker(0)]), store, Serial(checkpoint_seconds=0))
    assert [file for file, _ in written] == ["resume-0.safetensors", "resume-1.safetensors"] * 3
    assert not list(store.entry(walker(0)).path.glob("resume*"))


def test_no_checkpoint_before_its_time(store, monkeypatch):
    monkeypatch.setattr(checkpoints, "write", full)
    assert run(Graph([walker(0)]), store, Serial(checkpoint_seconds=1e9)).done


@pytest.mark.parametrize("kind", ["log", "save", "pause", "summary"])
def test_what_a_job_must_not_say_is_refused_with_the_place(store, monkeypatch, kind):
    from secateurs.jobs import REGISTRY, JobFunction

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


def test_non_finite_numbers_are_null_in_rows_and_summary(store, monkeypatch):
    from secateurs.jobs import REGISTRY, JobFunction

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
