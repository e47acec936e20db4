"""What is measured beside jobs: kept with the result, added up over sittings, without any effect on the rest."""

import json

import pytest
import toy_meters
from toy_jobs import study, total, walker

from secateurs.core import JobError
from secateurs.jobs import Context, Graph, Meter, Processes, Serial, Store, run

METER = Meter("toy_meters", "counting", {"name": "me"})


def test_each_job_has_what_its_meter_said(store):
    outcome = run(Graph([total(1)]), store, Serial(meter=METER))
    (job,) = outcome.done
    (told,) = store.entry(job).measured
    assert told == {"asked": 1, "device": "cpu", "workers": 1, "on_device": 1, "name": "me"}
    assert toy_meters.OPEN == [], "the block ends with the sitting"


def test_without_a_meter_nothing_is_known(store):
    run(Graph([total(1)]), store)
    assert store.entry(total(1)).measured == (None,)


def test_entries_of_earlier_versions_were_not_measured(store):
    run(Graph([total(1)]), store, Serial(meter=METER))
    path = store.entry(total(1)).path / "done.json"
    done = json.loads(path.read_text())
    del done["measured"]
    path.write_text(json.dumps(done))
    assert store.entry(total(1)).measured == (None,)


def test_neither_results_nor_keys_know_of_it(store, contents, tmp_path):
    other = Store(tmp_path / "other")
    run(Graph(study()), store, Serial(meter=METER))
    run(Graph(study()), other)
    assert contents(store) == contents(other)


def test_every_worker_says_how_many_there_are(store):
    devices = ("cpu", "cpu")
    outcome = run(Graph(study()), store, Processes(2, devices, preload=("torch",), meter=METER))
    told = [each for job in outcome.done for each in store.entry(job).measured]
    assert {(each["workers"], each["on_device"]) for each in told} == {(2, 2)}


@pytest.fixture
def stopping_at(monkeypatch):
    """The run is asked to stop when a walk logs this epoch."""

    def at(epoch):
        real = Context.log

        def log(self, row):
            real(self, row)
            if row.get("epoch") == epoch:
                monkeypatch.setattr(Context, "stopping", True)

        monkeypatch.setattr(Context, "log", log)

    return at


def test_sittings_stand_side_by_side(store, stopping_at, monkeypatch):
    stopping_at(2)
    assert run(Graph([walker(0)]), store, Serial(meter=METER)).stopped
    monkeypatch.undo()
    run(Graph([walker(0)]), store, Serial(meter=Meter("toy_meters", "counting", {"name": "again"})))
    first, second = store.entry(walker(0)).measured
    assert (first["name"], second["name"]) == ("me", "again")
    assert toy_meters.OPEN == []


def test_a_sitting_without_a_meter_is_told_as_one(store, stopping_at, monkeypatch):
    stopping_at(2)
    run(Graph([walker(0)]), store)
    monkeypatch.undo()
    run(Graph([walker(0)]), store, Serial(meter=METER))
    first, second = store.entry(walker(0)).measured
    assert first is None
    assert second["name"] == "me"


def test_what_was_undone_is_not_counted(store, monkeypatch):
    """A sitting that dies after its checkpoint counts up to the checkpoint, as its seconds do."""
    real = Context.log

    def dying(self, row):
        if row.get("epoch") == 4:
            raise KeyboardInterrupt  # no checkpoint is written any more
        real(self, row)

    monkeypatch.setattr(Context, "log", dying)
    run(Graph([walker(0)]), store, Serial(checkpoint_seconds=0, meter=METER))
    monkeypatch.undo()
    run(Graph([walker(0)]), store, Serial(checkpoint_seconds=1e9, meter=METER))
    first, second = store.entry(walker(0)).measured
    assert first["asked"] == 4, "epochs 0 to 3 had a checkpoint each"
    assert second["asked"] == 1


def test_a_meter_that_does_not_start_fails_the_job(store):
    outcome = run(Graph([total(1)]), store, Serial(meter=Meter("toy_meters", "broken")))
    assert outcome.failed == {total(1): "ValueError: no meter here"}


@pytest.mark.parametrize("meter", [Meter("toy_meters", "missing"), Meter("no_such_module", "counting")])
def test_a_meter_that_is_not_there_is_named(meter):
    with pytest.raises(JobError, match=f"meter: {meter.module}.{meter.function} cannot be imported"):
        meter.beside("cpu")
