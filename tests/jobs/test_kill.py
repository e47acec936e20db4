"""Whole runs in processes of their own, killed or stopped at chosen points; nothing here waits for time to pass."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from toy_jobs import HOLD, SAID, STUBBORN, study, walker

import secateurs.jobs
from secateurs.jobs import Graph, Serial, Store, run

HERE = Path(__file__).parent
SOURCE = Path(secateurs.jobs.__file__).parents[2]


class Main:
    """A running ``toy_main.py`` and the pipe through which its jobs speak."""

    def __init__(self, store: Store, engine: str, hold: str | None) -> None:
        self.base = store.root.parent
        self._pipe = self.base / SAID
        if hold is not None:
            (self.base / HOLD).write_text(hold)
            os.mkfifo(self._pipe)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "toy_main.py", store.root, engine],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        )
        self.said: IO[bytes] | None = None
        if hold is not None:
            threading.Thread(target=self._hang_up, daemon=True).start()
            self.said = self._pipe.open("rb")

    def _hang_up(self) -> None:
        """A process that ends before it spoke must not leave the test listening for ever."""
        self.process.wait()
        with contextlib.suppress(OSError):
            self._pipe.open("wb").close()

    def hears(self, word: str) -> None:
        assert self.said is not None
        assert self.said.readline().decode().strip() == word

    def hears_death(self) -> None:
        """The held job has the pipe open until its process is gone."""
        assert self.said is not None
        assert self.said.read() == b""

    def interrupt(self) -> None:
        """As a terminal does: to the whole group, workers and fork server too."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self) -> tuple[dict[str, int], str]:
        out, err = self.process.communicate()
        return json.loads(out.splitlines()[-1]), err

    def release(self) -> None:
        (self.base / HOLD).unlink()
        self._pipe.unlink()


@pytest.fixture
def start(store: Store) -> Iterator[object]:
    mains: list[Main] = []

    def begin(engine: str, hold: str | None = None) -> Main:
        mains.append(Main(store, engine, hold))
        return mains[-1]

    yield begin
    for main in mains:
        if main.process.poll() is None:
            os.killpg(main.process.pid, signal.SIGKILL)
        main.process.communicate()
        if main.said is not None:
            main.said.close()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("straight") / "store")
    run(Graph(study()), store)
    return store


def ran(store: Store) -> list[str]:
    return (store.root.parent / "ran").read_text().splitlines()


@pytest.mark.parametrize(
    ("engine", "hold"),
    [
        ("serial", "walk 1 computed 3"),
        ("serial", "walk 0 saved"),
        ("processes", "walk 0 logged 3"),
    ],
)
def test_a_killed_run_goes_on_and_leaves_the_same_bytes(start, store, straight, contents, engine, hold):
    main = start(engine, hold)
    main.hears(hold)
    main.process.kill()
    main.hears_death()
    main.release()
    finished = [job for job in study() if store.entry(job).done]
    walk = " ".join(hold.split()[:2])
    before = len(ran(store))

    outcome = run(Graph(study()), store)
    assert set(outcome.reused) >= set(finished)
    assert contents(store) == contents(straight)
    after = ran(store)[before:]
    assert walk in after
    assert f"{walk} passed 2" not in after  # it goes on from its checkpoint, not from the start
    assert hold.endswith("saved") or f"{walk} passed 3" in after
    assert not {job.label for job in finished} & set(after)


def test_ctrl_c_in_a_terminal_stops_all_workers_at_a_checkpoint(start, store, straight, contents):
    main = start("processes", "walk 0 logged 3")
    main.hears("walk 0 logged 3")
    main.interrupt()
    outcome, err = main.ended()
    assert (main.process.returncode, err) == (0, "")
    assert outcome["stopped"]
    assert outcome["failed"] == 0
    main.hears_death()
    main.release()
    assert store.entry(walker(0)).state == "partial"
    before = len(ran(store))
    run(Graph(study()), store, Serial())
    after = ran(store)[before:]
    assert "walk 0 passed 3" not in after  # the stop wrote the checkpoint of this epoch
    assert "walk 0 passed 4" in after
    assert contents(store) == contents(straight)


def test_a_second_ctrl_c_ends_workers_that_do_not_listen(start, store, straight, contents):
    (store.root.parent / STUBBORN).touch()
    main = start("processes", "walk 0 logged 3")
    main.hears("walk 0 logged 3")
    main.interrupt()
    main.hears("stopping")
    main.interrupt()
    outcome, err = main.ended()
    assert (main.process.returncode, err) == (0, "")
    assert outcome["stopped"]
    main.hears_death()
    main.release()
    run(Graph(study()), store)
    assert contents(store) == contents(straight)


def test_two_processes_on_one_store_do_each_job_once(start, store, straight, contents):
    first = start("serial", "walk 0 logged 3")
    first.hears("walk 0 logged 3")
    second = start("serial")
    assert second.process.stdout.readline() == "waiting for walk 0\n"  # after it did all the others
    assert [store.entry(job).state for job in study()] == ["running", "done", "done", "done"]
    first.release()
    outcomes = [main.ended()[0] for main in (first, second)]
    assert [outcome["done"] for outcome in outcomes] == [1, 4]
    assert [outcome["reused"] for outcome in outcomes] == [4, 1]
    begun = [line for line in ran(store) if "passed" not in line]
    assert sorted(begun) == sorted(line for line in ran(straight) if "passed" not in line)
    assert contents(store) == contents(straight)
