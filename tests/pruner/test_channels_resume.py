"""A run whose channels were removed goes on in new objects, to the same bits, if it is loaded in the right order."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from loops import LOOPS, begin, compiled, groups, train
from safetensors.torch import load, save
from test_channels import CUT, HALF, compiled_parts, shapes
from test_early import assert_same
from test_resume import EVERYTHING, stored

from secateurs.core import PruningError
from secateurs.when import At
from toys import unchanged


@compiled_parts
@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain", {"signals": EVERYTHING, "examples": 20, "what": "snap"}),
        ("compiled", {"wrap": compiled}),
        ("parameter groups", {"optimizer": groups, "what": "random"}),
    ],
    ids=["all signals", "compiled", "parameter groups"],
)
def test_resumed_at_an_epoch_s_end(name: str, options: dict[str, Any], cut: int) -> None:
    epoch, options = LOOPS[name][0], {**options, "how": HALF}
    whole = train(begin(**options), range(5), epoch)
    run = train(begin(**options), range(cut), epoch)
    run = train(stored(run, model_first=False, **options), range(cut, 5), epoch)
    assert_same(run, whole)
    assert run.pruner.keep == whole.pruner.keep
    assert run.pruner.event == whole.pruner.event
    assert run.pruner.report() == whole.pruner.report()
    assert run.pruner.savings() == whole.pruner.savings()


def test_the_state_is_tensors_and_json() -> None:
    state = train(begin(how=HALF), range(3)).pruner.state_dict()
    assert {*state["tensors"]} == {"keep/0", "example/inputs", "example/targets"}
    assert len(state["tensors"]["example/inputs"]) == 2
    json.dumps(state["meta"])
    load(save(state["tensors"]))


def test_the_wrong_order_is_refused_in_words() -> None:
    run = train(begin(how=HALF), range(3))
    fresh = begin(how=HALF)
    with unchanged(fresh.net), pytest.raises(PruningError, match=r"\[2, 1, 3, 3\] in the state.*pruner's state first"):
        fresh.net.load_state_dict(run.net.state_dict())
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())  # torch says nothing
    with unchanged(fresh.net), pytest.raises(PruningError, match=r"optimizer remembers .*pruner's state first"):
        fresh.pruner.load_state_dict(run.pruner.state_dict())
    assert not run.net._load_state_dict_pre_hooks  # nothing of ours is left on what is pruned


def test_a_state_is_loaded_into_a_network_that_is_cut_already_only_if_the_same_is_left() -> None:
    run = train(begin(how=HALF), range(3))
    dense, state = train(begin(how=HALF), range(1)).pruner.state_dict(), run.pruner.state_dict()
    train(run, range(3, 4))
    run.pruner.load_state_dict(state)
    assert shapes(run.net) == CUT
    with pytest.raises(PruningError, match="channels were removed from this network already"):
        run.pruner.load_state_dict(dense)
    other = {name: ~value if name == "keep/0" else value for name, value in state["tensors"].items()}
    with pytest.raises(PruningError, match="do not come back"):
        run.pruner.load_state_dict({**state, "tensors": other})
    assert shapes(run.net) == CUT


def test_states_of_other_networks_and_other_ways_are_refused() -> None:
    state = train(begin(how=HALF), range(3)).pruner.state_dict()
    with pytest.raises(PruningError, match=r"how=Channels\(.*\), network=.*, this one has what=magnitude\(\), how="):
        begin().pruner.load_state_dict(state)
    state["tensors"]["keep/0"] = torch.ones(5, dtype=torch.bool)
    with pytest.raises(PruningError, match="the state has 5 channels of '0', the model has 4 channels"):
        begin(how=HALF, when=At("2ep")).pruner.load_state_dict(state)
