import json

import pytest
import torch
from toy_jobs import total, walker

from secateurs.core import JobError, StoreError
from secateurs.jobs import Graph, Store, run
from secateurs.jobs.lock import lock

JOB = total(1)


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))


def test_an_entry_gives_back_what_the_job_said_and_saved(store):
    made = walker(3)
    run(Graph([made]), store)
    entry = store.entry(made)
    assert entry.state == "done"
    assert [row["epoch"] for row in entry.rows()] == list(range(6))
    assert entry.summary["norm"] == entry.rows()[-1]["norm"] == entry.tensors()["w"].norm().item()
    assert entry.tensors("early")["w"].norm().item() == entry.rows()[1]["norm"]
    assert entry.spec == json.loads(json.dumps(made.spec))
    assert entry.seconds > 0
    assert store.entry(made.key) == entry
    assert store.entries() == (entry,)


def test_an_absent_entry_says_so(store):
    entry = store.entry(JOB)
    assert (entry.state, entry.done, entry.rows()) == ("absent", False, [])
    for read in (lambda: entry.summary, lambda: entry.tensors(), lambda: entry.seconds):
        with pytest.raises(StoreError, match=r"not finished \(it is absent\); run it first"):
            read()
    with pytest.raises(StoreError, match=r"spec.json: cannot be read"):
        _ = entry.spec


def test_unknown_tensors_are_named(store):
    run(Graph([walker(3)]), store)
    with pytest.raises(StoreError, match=r"no tensors called 'erly'; choices: early, tensors; did you mean 'early'"):
        store.entry(walker(3)).tensors("erly")


def test_a_truncated_file_is_damage_with_sizes_and_remedy(store):
    run(Graph([JOB]), store)
    entry = store.entry(JOB)
    file = entry.path / "tensors.safetensors"
    size = file.stat().st_size
    damage(file, lambda data: data[:-1])
    assert entry.state == "damaged"
    with pytest.raises(StoreError, match=f"expected {size} bytes, found {size - 1}; delete {entry.path} and run again"):
        entry.tensors()


def test_a_flipped_bit_is_damage(store):
    run(Graph([JOB]), store)
    entry = store.entry(JOB)
    damage(entry.path / "tensors.safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreError, match="are not those that were written"):
        entry.tensors()


def test_a_missing_file_is_damage(store):
    run(Graph([JOB]), store)
    (store.entry(JOB).path / "metrics.jsonl").unlink()
    assert store.entry(JOB).state == "damaged"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"summary": {}}', '{"summary": {}, "seconds": 1, "files": {"a": 1}}'])
def test_a_done_that_says_nothing_is_damage(store, text):
    run(Graph([JOB]), store)
    (store.entry(JOB).path / "done.json").write_text(text)
    assert store.entry(JOB).state == "damaged"


def test_rows_that_are_not_whole_yet_are_not_there_yet(store):
    path = store.entry(JOB).path
    path.mkdir()
    (path / "metrics.jsonl").write_text('{"a":1}\n{"a":2}\n{"a"')
    assert store.entry(JOB).rows() == [{"a": 1}, {"a": 2}]
    (path / "metrics.jsonl").write_text('{"a":1}\n{"a"\n')
    with pytest.raises(StoreError, match=r"metrics\.jsonl: damaged"):
        store.entry(JOB).rows()


def test_a_held_lock_means_running(store):
    path = store.entry(JOB).path
    with lock(path) as ours:
        assert ours
        assert store.entry(JOB).state == "running"
        with lock(path) as theirs:
            assert not theirs
    assert store.entry(JOB).state == "absent"


def test_a_store_opens_again(store):
    assert Store(store.root).root == store.root
    assert Store(store.root, create=False).entries() == ()


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match="holds files but is no store; name an empty or a new folder"):
        Store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_format_is_refused(store):
    (store.root / "store.json").write_text('{"format": 2}')
    with pytest.raises(StoreError, match=r"a store of format 2, .* reads format 1; use the version that wrote it"):
        Store(store.root)
    (store.root / "store.json").write_text("{")
    with pytest.raises(StoreError, match=r"store.json: cannot be read"):
        Store(store.root)


def test_a_store_that_must_exist(tmp_path):
    with pytest.raises(StoreError, match="there is no store here"):
        Store(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()


def test_gc_keeps_what_is_needed_and_what_is_running(store):
    first = total(1)
    needed, other, busy = total(2, first), total(3, first), total(4)
    run(Graph([needed, other, busy]), store)
    with lock(store.entry(busy).path):
        freed = store.gc([needed])
    assert [store.entry(each).state for each in (first, needed, other, busy)] == ["done", "done", "absent", "done"]
    assert freed > store.entry(needed).path.joinpath("tensors.safetensors").stat().st_size
    assert {path.name for path in store.root.iterdir()} == {"store.json", first.key, needed.key, busy.key}


def test_a_lock_on_a_removed_folder_guards_nothing(store):
    path = store.entry(JOB).path

    def gone():
        (path / "lock").unlink()
        path.rmdir()

    with lock(path), lock(path, gone) as ours:
        assert ours
        assert (path / "lock").exists()


def test_rows_are_flat_and_in_the_order_asked_for(store):
    jobs = [total(2, group="a"), total(1, label="one"), total(3)]
    run(Graph(jobs[:2]), store)
    rows = store.rows(jobs)
    assert [(row["label"], row["config.x"], row["summary.y"]) for row in rows] == [(jobs[0].label, 2, 2), ("one", 1, 1)]
    assert len(store.rows()) == 2


def test_the_table_has_a_row_per_finished_job(store):
    pytest.importorskip("pandas", reason="the extra `analysis` is not installed")
    run(Graph([total(1), total(2), walker(0)]), store)
    table = store.table().set_index("key")
    assert table.loc[total(2).key, "summary.y"] == 2
    assert table.loc[walker(0).key, "config.epochs"] == 6
    assert set(table["name"]) == {"toy.sum", "toy.walk"}


def test_a_table_without_pandas_names_the_extra(store, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(StoreError, match=r"secateurs\[analysis\]"):
        store.table()


def test_tensors_that_share_memory_or_are_transposed_are_saved(tmp_path):
    from secateurs.jobs.files import read_tensors, record, write_tensors

    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"whole": whole, "row": whole[1], "again": whole, "t": whole.T, "none": torch.empty(0)}
    path = tmp_path / "tensors.safetensors"
    write_tensors(path, tensors)
    read = read_tensors(path, record(path), "")
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    with pytest.raises(JobError, match="'x' is no dense tensor"):
        write_tensors(path, {"x": [1.0]})
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
