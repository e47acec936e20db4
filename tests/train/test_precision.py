"""Low precision and memory layout: what is refused, what stays in float32, what stays at zero, what resumes."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from secateurs.core import Observation, Spec, TrainingError, TrainState, prunable
from secateurs.how import Mask, keep_top
from secateurs.measure import evaluate
from secateurs.train import TrainSettings, begin, check_precision, pack, precision, train, unpack
from secateurs.when import FisherTrace
from secateurs.zoo import Dataset, digits

NET = Spec("digits_resnet", {"width": 4, "stages": 2, "blocks": 1})


def has(kind: str) -> bool:
    try:
        check_precision(kind, torch.device("cpu"))  # type: ignore[arg-type]
    except TrainingError:
        return False
    return True


needs_bfloat16 = pytest.mark.skipif(not has("bfloat16"), reason="this CPU has no bfloat16 instructions")


@pytest.fixture(scope="module")
def data() -> Dataset:
    whole = digits()
    return replace(whole, train=whole.train.subset(torch.arange(160)))


@pytest.fixture
def float16_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """float16 is refused on a CPU because it is slow there; its arithmetic can be tested all the same."""
    from secateurs.train import loop

    for module in (precision, loop):
        monkeypatch.setattr(module, "check_precision", lambda *_: None)


def test_float16_on_a_cpu_is_refused_before_anything_is_built(data: Dataset) -> None:
    with pytest.raises(TrainingError, match="float16 needs a CUDA device, not cpu: use float32"):
        begin(NET, data, TrainSettings(epochs=1, precision="float16"), init_seed=0)


def test_bfloat16_without_instructions_for_it_is_refused(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    with pytest.raises(TrainingError, match=r"no bfloat16 instructions \(avx512_bf16, amx_bf16\): use float32$"):
        begin(NET, data, TrainSettings(epochs=1, precision="bfloat16"), init_seed=0)


def test_a_refused_run_leaves_its_state_to_be_used(data: Dataset) -> None:
    state = begin(NET, data, TrainSettings(epochs=1, batch_size=40), init_seed=0)
    with pytest.raises(TrainingError, match="float16"):
        train(state, data, TrainSettings(epochs=1, batch_size=40, precision="float16"), until=1)
    assert not state.consumed


def run(data: Dataset, observe: Any = None, until: str | int = 3, **options: Any) -> TrainState:
    settings = TrainSettings(epochs=3, batch_size=40, **{"lr": 0.05, **options})
    observers = [observe] if observe else []
    return train(begin(NET, data, settings, init_seed=1), data, settings, until=until, observers=observers)


@pytest.mark.parametrize("kind", [pytest.param("bfloat16", marks=needs_bfloat16), "float16"])
def test_weights_loss_and_logits_stay_in_float32_and_the_network_learns(
    kind: str, data: Dataset, float16_anywhere: None
) -> None:
    kinds, losses = set(), []

    def look(seen: Observation) -> None:
        if seen.output is not None and seen.loss is not None:
            kinds.update({seen.output.dtype, seen.loss.dtype})
            losses.append(seen.loss)

    state = run(data, look, precision=kind)
    kinds |= {p.dtype for p in state.model.parameters()}
    kinds |= {v.dtype for entries in state.optimizer.state.values() for v in entries.values()}
    assert kinds == {torch.float32}
    exact = run(data, until="1it")
    assert state.diverged is None
    assert losses[-1] < 0.9 * losses[0]
    low = run(data, until="1it", precision=kind)
    moved = [(p - q).abs().max() for p, q in zip(low.model.parameters(), exact.model.parameters(), strict=True)]
    assert 0 < max(moved) < 0.01


def test_channels_last_changes_rounding_only(data: Dataset) -> None:
    plain, last = run(data, until="2it"), run(data, until="2it", channels_last=True)
    convolutions = [p for p in last.model.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert convolutions
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in convolutions)
    for p, q in zip(plain.model.parameters(), last.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
    scores = [{n: p.detach().abs() for n, p in prunable(s.model).items()} for s in (last, last)]
    scores[1] = {n: value.contiguous() for n, value in scores[1].items()}
    assert keep_top(scores[0], 0.2) == keep_top(scores[1], 0.2)
    values = []
    for state in (plain, last):
        seen = Observation(state.moment, "epoch", state.model, data.task, probe=data.train)
        value = FisherTrace(samples=32).update({}, seen)[1]
        values.append(value if value is not None else torch.tensor(math.nan))
    torch.testing.assert_close(*values, rtol=1e-3, atol=0)
    assert evaluate(last.model, data.task, data.test).keys() == {"loss", "accuracy"}


OPTIONS: dict[str, dict[str, Any]] = {
    "nesterov": {"optimizer": {"nesterov": True}, "clip_norm": 0.5},
    "adam": {"optimizer": {"name": "adam", "weight_decay": 0.1}, "lr": 0.01, "clip_norm": 0.5},
    "adamw": {"optimizer": {"name": "adamw", "decay_norms_and_biases": False}, "lr": 0.01, "schedule": "one_cycle"},
    "warm-up": {"warm_up": "7it", "schedule": {"name": "cosine", "per": "step"}, "drop_last": True},
    "objective": {"label_smoothing": 0.1, "temperature": 5.0},
    "channels last": {"channels_last": True, "optimizer": "adam", "lr": 0.01},
    "bfloat16": {"precision": "bfloat16", "channels_last": True, "clip_norm": 0.5},
    "bfloat16, adam": {"precision": "bfloat16", "optimizer": "adam", "lr": 0.01},
    "float16": {"precision": "float16", "clip_norm": 0.5},
    "float16, adam": {"precision": "float16", "optimizer": "adamw", "lr": 0.01},
}
EVERY = [pytest.param(name, marks=needs_bfloat16 if "bfloat16" in name else ()) for name in OPTIONS]


def bits(state: TrainState) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in pack(state)[0].items()}


@pytest.mark.parametrize("name", EVERY)
def test_masked_weights_stay_zero_and_a_resumed_run_has_the_same_bits(
    name: str, data: Dataset, float16_anywhere: None
) -> None:
    settings = TrainSettings(epochs=3, batch_size=40, **{"lr": 0.05, **OPTIONS[name]})
    state = train(begin(NET, data, settings, init_seed=1), data, settings, until="1ep1it")
    scores = {n: p.detach().abs() for n, p in prunable(state.model).items()}
    mask = keep_top(scores, 0.2)
    rate = max(0.001, settings.highest_lr_from(state.moment, state.schedule_start, state.max_lr))
    state = state.take(mask=mask, schedule_start=state.moment, max_lr=rate)

    straight = train(state.fork(), data, settings, until=3)
    cut = train(state, data, settings, until="2ep2it")
    tensors, meta = pack(cut)
    stored = load(save({key: value.contiguous() for key, value in tensors.items()}))
    resumed = unpack(stored, json.loads(json.dumps(meta)), begin(NET, data, settings, init_seed=9))
    resumed = train(resumed, data, settings, until=3)

    assert straight.diverged is None
    dropped_stay_at_zero(straight, mask)
    expected, found = bits(straight), bits(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert straight.scaler == resumed.scaler
    assert (straight.scaler is not None) == ("float16" in name and "bfloat16" not in name)
    assert layouts(straight) == layouts(resumed)


def layouts(state: TrainState) -> list[tuple[int, ...]]:
    moments = [state.optimizer.state[p] for p in state.model.parameters()]
    moved = [values[key] for values in moments for key in sorted(values)]
    # Where a dimension is 1 its stride says nothing.
    return [tuple(s for s, n in zip(v.stride(), v.shape, strict=True) if n > 1) for v in moved]


def dropped_stay_at_zero(state: TrainState, mask: Mask) -> None:
    for key, p in state.model.named_parameters():
        if key in mask:
            assert not p.detach()[~mask[key]].any()
            assert p.detach()[mask[key]].any()
            for value in state.optimizer.state[p].values():
                assert value.shape != p.shape or not value[~mask[key]].any()


def test_an_overflowing_float16_step_is_skipped_and_its_scale_is_remembered(
    data: Dataset, float16_anywhere: None
) -> None:
    settings = TrainSettings(epochs=3, batch_size=40, lr=0.05, precision="float16")
    state = begin(NET, data, settings, init_seed=1)
    start = torch.amp.GradScaler("cpu").state_dict() | {"scale": 2.0**40}
    before = [p.detach().clone() for p in state.model.parameters()]
    state = train(state.take(scaler=start), data, settings, until="1it")
    assert all(torch.equal(p, q) for p, q in zip(state.model.parameters(), before, strict=True))
    assert state.scaler is not None
    assert state.scaler["scale"] == 2.0**39
    assert state.fork().scaler == state.scaler
