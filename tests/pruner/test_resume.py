"""A run that is stored and goes on, in new objects and in a new process, has the bits of an undisturbed one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from loops import DATA, LOOPS, Run, batches, begin, compiled, groups, network, tell, train
from ranks_work import RESUMED, resume_elsewhere
from safetensors.torch import load, load_file, save, save_file
from test_early import assert_same, without_seconds

from secateurs.core import PruningError, Spec
from secateurs.how import Mask
from secateurs.pruner import Unstructured
from secateurs.pruner.state import settings_of
from secateurs.when import At, Below, FisherTrace, KLUniform, MaskDistance, Peak, TrainLoss, WeightChange
from toys import same_bits

EVERYTHING = [KLUniform(), FisherTrace(samples=16), TrainLoss(), WeightChange(), MaskDistance(window=2)]


def stored(run: Run, *, model_first: bool = True, **options: Any) -> Run:
    """A run in new objects that goes on from what was written."""
    state = run.pruner.state_dict()
    tensors, meta = load(save(state["tensors"])), json.loads(json.dumps(state["meta"]))
    fresh = begin(**options)
    with torch.no_grad():
        for p in fresh.net.parameters():
            p.fill_(0.5)  # whatever was there
    if not model_first:
        fresh.pruner.load_state_dict({"tensors": tensors, "meta": meta})
    fresh.net.load_state_dict(run.net.state_dict())
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())
    if model_first:
        fresh.pruner.load_state_dict({"tensors": tensors, "meta": meta})
    fresh.events, fresh.told = run.events, run.told
    return fresh


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain", {"signals": EVERYTHING, "examples": 20}),
        ("plain", {"what": "fisher", "when": Peak("kl_uniform", patience=1, warm_up=0, min_drop=0.0)}),
        ("compiled", {"wrap": compiled, "when": At("3ep"), "signals": EVERYTHING}),
        ("parameter groups", {"optimizer": groups, "act": False, "signals": EVERYTHING}),
    ],
    ids=["all signals", "fisher", "compiled", "observing"],
)
def test_resumed_at_an_epoch_s_end(name: str, options: dict[str, Any], cut: int) -> None:
    epoch = LOOPS[name][0]
    whole = train(begin(**options), range(6), epoch)
    run = train(begin(**options), range(cut), epoch)
    run = train(stored(run, model_first=cut % 2 == 0, **options), range(cut, 6), epoch)
    assert_same(run, whole)
    assert [(e.moment, e.mask) for e in run.events] == [(e.moment, e.mask) for e in whole.events]
    assert run.pruner.mask == whole.pruner.mask
    assert run.pruner.event == whole.pruner.event
    assert run.pruner.report() == whole.pruner.report()
    assert run.pruner.pruned is False or run.pruner.savings() == whole.pruner.savings()
    assert without_seconds(run.pruner.log) == without_seconds(whole.pruner.log)


def test_resumed_inside_the_first_epoch_the_sample_is_the_same() -> None:
    options = {"examples": 20, "what": "fisher", "signals": [FisherTrace(samples=16)]}

    def stopped_within(run: Run, epoch: int) -> None:
        for number, batch in enumerate(batches(epoch)):
            run.optimizer.zero_grad()
            output = run.model(batch.inputs)
            F.cross_entropy(output, batch.targets).backward()
            run.optimizer.step()
            tell(run, batch, output)
            if (epoch, number) == (0, 2):
                run.pruner._progress.clock.sure = True  # that epoch_end() will be called
                vars(run).update(vars(stored(run, **options)))

    assert_same(train(begin(**options), range(4), stopped_within), train(begin(**options), range(4)))


def test_resumed_in_a_new_process(tmp_path: Path) -> None:
    cuts = (1, 3)  # before and after pruning
    whole = train(begin(**RESUMED), range(4))
    for cut in cuts:
        here = tmp_path / str(cut)
        here.mkdir()
        run = train(begin(**RESUMED), range(cut))
        torch.save(run.optimizer.state_dict(), here / "optimizer")
        save_file(run.net.state_dict(), here / "model")
        state = run.pruner.state_dict()
        save_file(state["tensors"], here / "tensors")
        (here / "meta").write_text(json.dumps(state["meta"]))
    mp.spawn(resume_elsewhere, (str(tmp_path), cuts, 4), nprocs=1)
    for cut in cuts:
        fresh = network()
        fresh.load_state_dict(load_file(tmp_path / str(cut) / "result"))
        assert same_bits(fresh, whole.net)


def test_a_state_can_be_loaded_into_a_pruner_that_has_pruned() -> None:
    dense = train(begin(), range(1))
    state = dense.pruner.state_dict()
    run = train(begin(), range(3))
    run.pruner.load_state_dict(state)
    assert not run.pruner.pruned
    assert not run.optimizer._optimizer_step_post_hooks
    train(run, range(1, 3))
    assert run.pruner.pruned
    state = run.pruner.state_dict()
    mask = Mask({name: ~kept for name, kept in run.pruner.mask.items()})
    run.pruner.load_state_dict({**state, "tensors": mask.to_tensors()})
    assert run.pruner.mask == mask
    assert len(run.optimizer._optimizer_step_post_hooks) == 1


def test_a_state_is_a_copy() -> None:
    run = train(begin(signals=EVERYTHING), range(1))
    before = json.dumps(run.pruner.state_dict()["meta"])
    state = run.pruner.state_dict()
    train(run, range(1, 3))
    assert json.dumps(state["meta"]) == before


def test_states_that_do_not_fit_are_refused() -> None:
    state = train(begin(), range(1)).pruner.state_dict()
    with pytest.raises(PruningError, match="act=True, this one has act=False"):
        begin(act=False).pruner.load_state_dict(state)
    with pytest.raises(PruningError, match=r"expected what state_dict\(\) gives.*got keys \['model'\]"):
        begin().pruner.load_state_dict({"model": {}})
    with pytest.raises(PruningError, match="when=Below"):
        begin(when=Below("loss", 0.1)).pruner.load_state_dict(state)


BUILT: dict[str, tuple[dict[str, Any], str]] = {
    "when": ({"when": At("3ep")}, r"when=At\(moment='2ep'\), this one has when=At\(moment='3ep'\)"),
    "signals": ({"signals": [FisherTrace(samples=8)]}, r'signals=\[\], this one has signals=\["FisherTrace\(samples=8'),
    "what": ({"what": "snip"}, r"what=magnitude\(\), this one has what=snip\(\)"),
    "how": ({"how": Unstructured(0.4)}, r"how=Unstructured\(density=0.3.*how=Unstructured\(density=0.4"),
    "numbers": ({"seed": 1, "examples": 9, "examples_per_class": 2}, "examples=1024, examples_per_class=10, seed=0.*"),
    "data": ({"data": DATA.train}, "data=None, this one has data=given"),
}


@pytest.mark.parametrize("name", BUILT)
def test_a_pruner_that_was_built_otherwise_is_named(name: str) -> None:
    options, told = BUILT[name]
    state = train(begin(), range(1)).pruner.state_dict()
    with pytest.raises(PruningError, match=told):
        begin(**options).pruner.load_state_dict(state)


def test_of_the_default_trigger_the_number_of_epochs_is_told() -> None:
    state = train(begin(when=None, epochs=10), range(1)).pruner.state_dict()
    with pytest.raises(PruningError, match=r"with epochs=10, this one has epochs=12: build"):
        begin(when=None, epochs=12).pruner.load_state_dict(state)


def test_functions_are_the_same_in_every_process() -> None:
    def own(*_: Any, **__: Any) -> Any:
        raise NotImplementedError

    for what in (own, Spec("snip", {"revive": own})):
        assert "0x" not in json.dumps(settings_of(At("2ep"), None, [], what, Unstructured(0.1), None, {}))


def test_once_it_is_pruned_it_does_not_matter_when_it_would_have_been() -> None:
    run = train(begin(when=None, epochs=5), range(3))
    state = run.pruner.state_dict()
    other = begin(when=At("9ep"), signals=[TrainLoss()], examples=5)
    other.pruner.load_state_dict(state)
    assert other.pruner.mask == run.pruner.mask
    assert other.pruner.event == run.pruner.event  # and why
    observing = train(begin(act=False), range(3)).pruner
    other = begin(act=False, when=At("9ep"), epochs=4).pruner
    other.load_state_dict(observing.state_dict())
    assert other.event == observing.event


@pytest.mark.parametrize("damage", ["settings", "progress", "measuring", "clock", "mask", "tensors", "rank"])
@pytest.mark.parametrize("pruned", [False, True])
def test_a_state_that_is_refused_changes_nothing(damage: str, pruned: bool) -> None:
    options: dict[str, Any] = {"what": "fisher", "signals": [FisherTrace(samples=8)], "examples": 20}
    run = train(begin(**options), range(3 if pruned else 1))
    other = train(begin(**options), range(3 if damage == "mask" else 1)).pruner.state_dict()
    if damage == "mask":
        other["tensors"] = Mask({"0.weight": torch.ones(3)}).to_tensors()
    elif damage == "tensors":
        other["tensors"].clear()
    elif damage == "clock":
        other["meta"]["progress"].pop("clock")
    else:
        other["meta"].pop(damage)
    before = run.pruner.state_dict()
    with pytest.raises(PruningError, match=r"state is not complete|'0.weight' has shape|expected what state_dict"):
        run.pruner.load_state_dict(other)
    after = run.pruner.state_dict()
    assert after["meta"] == before["meta"]
    assert all(torch.equal(value, after["tensors"][name]) for name, value in before["tensors"].items())
    assert len(run.optimizer._optimizer_step_post_hooks) == pruned
    whole = train(begin(**options), range(5))
    train(run, range(3 if pruned else 1, 5))
    assert_same(run, whole)
