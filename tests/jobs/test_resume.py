"""Runs that were stopped, cut off, or met a full disk; what is killed stands in test_kill.py."""

import errno
import os
import signal

import pytest
from toy_jobs import total, walker

from secateurs.core import StoreError
from secateurs.jobs import (
    Context,
    Graph,
    Serial,
    Started,
    Store,
    Warned,
    run,
)
from secateurs.jobs import checkpoint as checkpoints


def ran(store: Store) -> list[str]:
    path = store.root.parent / "ran"
    return path.read_text().splitlines() if path.exists() else []


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
    for name in (".tensors.safetensors.123", ".tmpABCDEF"):  # our own, and safetensors'
        (path / name).write_bytes(b"half")
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
