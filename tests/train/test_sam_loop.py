"""The loop with SAM: what a step is, what observers see, that it resumes, and that nobody else notices."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from secateurs.core import Observation, TrainingError, TrainState
from secateurs.how import Mask, apply, keep_top
from secateurs.measure import evaluate
from secateurs.train import SAM, SamSettings, TrainSettings, begin, check_precision, pack, train, unpack
from secateurs.what import magnitude
from toys import RESNET, content, same_bits, toy_data

DATA = toy_data()
SAID: dict[str, Any] = {"epochs": 4, "batch_size": 10, "lr": 0.05, "augment": "shift", "sam": {"rho": 0.2}}
SETTINGS = TrainSettings(**SAID)


def fresh(chosen: TrainSettings = SETTINGS, density: float | None = None) -> TrainState:
    state = begin(RESNET, DATA, chosen, init_seed=1)
    if density is not None:
        state.mask = keep_top(magnitude(state.model), density)
        apply(state.model, state.mask)
    return state


def trained(until: str | int, **options: Any) -> TrainState:
    chosen = TrainSettings(**{**SAID, **options})
    return train(fresh(chosen), DATA, chosen, until=until, order_seed=7)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.05}, {"sam": {"rho": 1.0, "adaptive": True}}])
def test_it_is_the_loop_written_out(options: dict[str, Any]) -> None:
    found, chosen = trained("1ep", **options), TrainSettings(**{**SAID, **options})
    state = fresh(chosen)
    model, optimizer = state.model.train(), state.optimizer
    assert chosen.sam is not None
    sam = SAM(model, optimizer, chosen.sam.rho, chosen.sam.adaptive)
    for batch in DATA.train.epoch(0, 10, 7, "shift"):

        def passed(x: Tensor = batch.inputs, y: Tensor = batch.targets) -> None:
            F.cross_entropy(model(x), y).backward()

        sam.gradient(passed)
        if chosen.clip_norm:
            clip_grad_norm_(model.parameters(), chosen.clip_norm)
        optimizer.step()
    assert same_bits(found.model, model)


def test_observers_see_output_and_loss_at_the_weights_and_the_clipped_gradient_that_was_stepped_with() -> None:
    seen: list[tuple[float, Tensor, float]] = []

    def look(now: Observation) -> None:
        if now.boundary == "step" and now.output is not None and now.loss is not None:
            norm = torch.stack([p.grad.norm() for p in now.model.parameters() if p.grad is not None]).norm()
            seen.append((float(now.loss), now.output, float(norm)))

    chosen = TrainSettings(**SAID, clip_norm=0.05)
    before = copy.deepcopy(fresh(chosen).model).train()
    train(fresh(chosen), DATA, chosen, until="1it", order_seed=7, observers=[look])
    batch = next(iter(DATA.train.epoch(0, 10, 7, "shift")))
    output = before(batch.inputs).detach()
    ((loss, outputs, norm),) = seen
    assert content(outputs) == content(output)
    assert loss == float(F.cross_entropy(output, batch.targets))
    assert norm == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam", "lr": 0.005}, {"clip_norm": 0.1, "drop_last": True}])
@pytest.mark.parametrize("density", [None, 0.3])
def test_segments_from_files_are_one_long_segment(options: dict[str, Any], density: float | None) -> None:
    chosen = TrainSettings(**{**SAID, **options})
    whole = train(fresh(chosen, density), DATA, chosen, until="3ep", order_seed=2)
    state = fresh(chosen, density)
    for cut in ("3it", "1ep", "7it"):
        state = train(state, DATA, chosen, until=cut, order_seed=2)
        tensors, meta = pack(state)
        blank = begin(RESNET, DATA, chosen, init_seed=99)
        state = unpack(load(save(tensors)), json.loads(json.dumps(meta)), blank)
    state = train(state, DATA, chosen, until="3ep", order_seed=2)
    assert same_bits(state.model, whole.model)
    if density is not None:
        kept = Mask(whole.mask or {})
        assert all(not whole.model.get_parameter(name)[~flags].count_nonzero() for name, flags in kept.items())


def test_a_checkpoint_goes_on_with_and_without() -> None:
    plain = TrainSettings(**{**SAID, "sam": None})
    tensors, meta = pack(trained("1ep"))
    state = unpack(tensors, meta, begin(RESNET, DATA, plain, init_seed=0))
    assert str(train(state, DATA, plain, until="2ep").moment) == "2ep"


def test_it_learns_and_is_no_plain_descent() -> None:
    state = trained("12ep", epochs=12, sam={"rho": 0.05})
    assert evaluate(state.model, DATA.task, DATA.test)["accuracy"] > 0.8
    assert not same_bits(trained("1ep").model, trained("1ep", sam=None).model)
    assert same_bits(trained("1ep", sam={"rho": 1e-30}).model, trained("1ep", sam=None).model)


def test_both_passes_have_one_batch() -> None:
    drawn = []

    class Watched(type(DATA.task)):  # type: ignore[misc]
        def output(self, model: Any, batch: Any) -> Tensor:
            drawn.append(content(batch.inputs))
            return super().output(model, batch)

    data = copy.copy(DATA)
    object.__setattr__(data, "task", Watched(3))
    train(fresh(), data, SETTINGS, until="2it", order_seed=7)
    assert len(drawn) == 4
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]


def test_a_run_that_breaks_has_diverged() -> None:
    assert str(trained("3ep", lr=1e18).diverged) == "1ep"


def has_bfloat16() -> bool:
    try:
        check_precision("bfloat16", torch.device("cpu"))
    except TrainingError:
        return False
    return True


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16 instructions")
def test_bfloat16_trains() -> None:
    state = trained("1ep", precision="bfloat16")
    assert state.diverged is None
    assert all(p.dtype == torch.float32 for p in state.model.parameters())


# --------------------------------------------------------------------------------------- settings


def test_only_settings_that_say_so_have_it() -> None:
    assert "sam" not in TrainSettings(epochs=1).model_dump()
    assert "sam" not in json.loads(TrainSettings(epochs=1, sam=None).model_dump_json())
    assert SETTINGS.model_dump(mode="json")["sam"] == {"rho": 0.2, "adaptive": False}
    for said in (SETTINGS, TrainSettings(epochs=1)):
        assert TrainSettings(**said.model_dump(mode="json")) == said
    assert SETTINGS.dilated(0.5).sam == SamSettings(rho=0.2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sam": {"rho": 0}}, r"sam\.rho: Input should be greater than 0 \(got 0\)"),
        ({"sam": {"rho": "wide"}}, r"sam\.rho"),
        ({"sam": {"radius": 1}}, r"sam\.radius: unknown key"),
        ({"sam": {}, "precision": "float16"}, "sam: float16 scales its loss .* use precision bfloat16 or float32"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        TrainSettings(epochs=1, **options)
