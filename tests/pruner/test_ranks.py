"""Two processes that train one network: they decide the same, and hold the same mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from loops import begin, network, train
from ranks_work import PARALLEL, parallel
from safetensors.torch import load_file

from secateurs.how import Mask
from secateurs.pruner import checks
from secateurs.pruner.ranks import Ranks
from toys import content

WORLD = 2


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Case -> what each rank ended with: tensors and facts."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(parallel, (str(folder), WORLD), nprocs=WORLD)
    return {name: [_read(folder / f"{number}-{rank}") for rank in range(WORLD)] for number, name in enumerate(PARALLEL)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return load_file(path.with_suffix(".safetensors")), json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("name", PARALLEL)
def test_all_ranks_end_with_the_same_network_and_mask(name: str, ended: Any) -> None:
    (first, told), (second, also_told) = ended[name]
    parameters = [key for key in first if "running" not in key and "batches" not in key]
    assert [key for key in parameters if content(first[key]) != content(second[key])] == []
    mask = Mask.from_tensors(first)
    assert mask.kept == round(0.3 * mask.total)
    assert {*mask} == {"0.weight", "5.weight"}
    for weight, kept in mask.items():
        assert torch.equal(first[f"model/{weight}"].ne(0), kept)
    assert all(told[each] == also_told[each] for each in ("log", "fired", "pruned", "why"))
    assert told["clear"]
    assert also_told["clear"]


def test_values_are_the_means_over_ranks(ended: Any) -> None:
    (_, told), (_, also_told) = ended["magnitude"]
    for (_, row), mine, theirs in zip(told["log"], told["own"], also_told["own"], strict=False):
        assert row["loss"] == pytest.approx((mine + theirs) / 2)
        assert mine != theirs
        assert row["fisher_trace.standard_error"] < row["fisher_trace"]


def test_all_guards_must_agree(ended: Any) -> None:
    for _, told in ended["guarded"]:
        assert (told["fired"], told["pruned"], told["asked"]) == ("2ep", "3ep", 2)


def test_alone_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("all_reduce", "broadcast", "get_world_size", "get_rank"):
        monkeypatch.setattr(dist, name, None)
    ranks, mask = Ranks([network()]), Mask({"a": torch.ones(2)})
    assert ranks.mean_row({"loss": 1.0}) == {"loss": 1.0}
    assert ranks.share(mask) is mask
    assert ranks.agree(True)
    assert ranks.all_agree(True)


def test_the_examples_of_another_rank_are_told_of() -> None:
    ranks = Ranks([network()])
    ranks.warn_of_another(3)  # alone it does not matter
    ranks.size, ranks.rank = 2, 1
    ranks.warn_of_another(1)
    with pytest.warns(UserWarning, match=r"rank 1 goes on from the state of rank 0, .*each rank's own state_dict\(\)"):
        ranks.warn_of_another(0)


def test_a_state_says_whose_examples_it_has() -> None:
    run = train(begin(what="fisher"), range(1))
    state = run.pruner.state_dict()
    assert state["meta"]["rank"] == 0
    other, data = begin(what="fisher").pruner, begin()
    other._ranks.size = 2
    other.load_state_dict(state)
    with pytest.warns(UserWarning, match="rank 0 goes on from the state of rank 1"):
        other.load_state_dict({**state, "meta": {**state["meta"], "rank": 1}})
    state = train(data, range(1)).pruner.state_dict()
    other = begin().pruner
    other._ranks.size = 2
    other.load_state_dict({**state, "meta": {**state["meta"], "rank": 1}})  # no examples: nothing to tell


def test_many_processes_and_no_word_that_they_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda *group: 4)
    net = network()
    with pytest.warns(UserWarning, match="4 processes, but the model is a Sequential.*pass the Distributed"):
        checks.check_parallel(net, [net])
