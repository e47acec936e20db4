"""States that were cut: forked, packed, unpacked and trained on to the same bits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from secateurs.core import Keep, Moment, PruningError, Spec, TrainingError, TrainState
from secateurs.how import between, channel_groups, cut_in_place, keep_top_channels
from secateurs.train import TrainSettings, begin, pack, train, unpack
from secateurs.what import filter_norm
from secateurs.zoo import Classification, Dataset, ImageSet
from toys import CLASSES, LENET, RESNET, generator, same_bits, toy_data

DATA = toy_data()


def pictures(count: int, seed: int) -> ImageSet:
    pixels = torch.randint(0, 255, (count, 3, 32, 32), generator=generator(seed)).to(torch.uint8)
    return ImageSet(pixels, torch.arange(count) % CLASSES, torch.full((3,), 120.0), torch.full((3,), 60.0))


COLOURED = Dataset("big", "big", Classification(CLASSES), CLASSES, *(pictures(24, seed) for seed in (1, 2, 3)))
NETWORKS = {"resnet": (RESNET, DATA), "vgg": (Spec("vgg11", {"width": 4}), COLOURED)}
OPTIMIZERS: dict[str, Any] = {
    "momentum": {"optimizer": {"name": "sgd"}, "lr": 0.05},
    "groups": {"optimizer": {"name": "sgd", "decay_norms_and_biases": False}, "lr": 0.05},
    "adam": {"optimizer": {"name": "adam"}, "lr": 0.005},
    "channels last": {"optimizer": {"name": "adam"}, "lr": 0.005, "channels_last": True},
}


def chosen(name: str) -> TrainSettings:
    return TrainSettings(epochs=4, batch_size=12, schedule="cosine", **OPTIMIZERS[name])


def cut(state: TrainState, density: float) -> TrainState:
    """A state cut further, by plain means."""
    keep = state.channels or Keep(channel_groups(state.model, COLOURED.example if is_vgg(state) else DATA.example), {})
    scores = {group.name: torch.arange(group.units).float() for group in keep.groups}
    after = keep_top_channels(keep.groups, scores, density, within=keep)
    cut_in_place(state.model, between(keep, after), state.optimizer)
    return state.take(channels=after)


def is_vgg(state: TrainState) -> bool:
    return type(state.model).__name__ == "VGG"


def bits(state: TrainState) -> list[tuple[Any, ...]]:
    entries = state.optimizer.state_dict()["state"]
    return [
        (index, key, value.tolist() if torch.is_tensor(value) else value)
        for index, each in sorted(entries.items())
        for key, value in sorted(each.items())
    ]


def assert_same(a: TrainState, b: TrainState) -> None:
    assert same_bits(a.model, b.model)
    assert bits(a) == bits(b)
    for name in ("moment", "schedule_start", "max_lr", "mask", "channels", "diverged", "consumed"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_cut_state_goes_through_files_to_the_same_bits(network: str, name: str) -> None:
    """Cut, trained, cut again; what is unpacked is cut once, of a dense network."""
    model, data = NETWORKS[network]
    settings = chosen(name)
    state = train(begin(model, data, settings, init_seed=1), data, settings, until="1ep")
    state = cut(train(cut(state, 0.7), data, settings, until="1ep1it"), 0.4)
    state.schedule_start, state.max_lr = state.moment, 0.0123
    tensors, meta = pack(state)
    file = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    found = unpack(load(file), json.loads(json.dumps(meta)), begin(model, data, settings, init_seed=99), data.example)
    assert_same(found, state)
    assert [p.stride() for p in found.model.parameters()] == [p.stride() for p in state.model.parameters()]
    fork = state.fork()
    ends = [train(each, data, settings, until="3ep", order_seed=3) for each in (found, state, fork)]
    assert_same(ends[0], ends[1])
    assert_same(ends[2], ends[1])
    assert {path.split("/")[0] for path in pack(ends[0])[0]} == {"model", "optimizer", "channels"}


def test_what_is_packed_of_channels() -> None:
    state = cut(begin(RESNET, DATA, chosen("adam"), init_seed=1), 0.5)
    assert state.channels is not None
    tensors, _ = pack(state)
    kept = {name.removeprefix("channels/"): flags for name, flags in tensors.items() if name.startswith("channels/")}
    assert {name: flags.tolist() for name, flags in kept.items()} == {n: f.tolist() for n, f in state.channels.items()}
    assert all(flags.dtype == torch.bool for flags in kept.values())


def test_what_cannot_be_unpacked_is_told() -> None:
    settings = chosen("adam")

    def blank(model: Spec = RESNET) -> TrainState:
        return begin(model, DATA, settings, init_seed=2)

    packed = pack(cut(begin(RESNET, DATA, settings, init_seed=1), 0.5))
    with pytest.raises(TrainingError, match=re.escape("pass example=, what the network is called with")):
        unpack(*packed, blank())
    with pytest.raises(TrainingError, match=re.escape("the blank network is cut already: begin() a dense one")):
        unpack(*packed, cut(blank(), 0.5), DATA.example)
    with pytest.raises(PruningError, match="there is no group 'conv'"):
        unpack(*packed, blank(LENET), DATA.example)
    used = blank()
    used.take()
    with pytest.raises(TrainingError, match="already consumed"):
        unpack(*packed, used, DATA.example)


def test_a_dense_state_needs_no_example() -> None:
    settings = chosen("momentum")
    state = train(begin(RESNET, DATA, settings, init_seed=1), DATA, settings, until="1ep")
    assert_same(unpack(*pack(state), begin(RESNET, DATA, settings, init_seed=2)), state)
    assert state.channels is None


def test_a_fork_of_a_cut_state_is_its_own() -> None:
    settings = chosen("momentum")
    state = train(cut(begin(RESNET, DATA, settings, init_seed=1), 0.5), DATA, settings, until="1ep")
    fork = state.fork()
    before = [p.tolist() for p in fork.model.parameters()]
    train(state, DATA, settings, until="2ep")
    assert [p.tolist() for p in fork.model.parameters()] == before
    assert fork.channels == state.channels
    assert fork.moment == Moment(4, 4)
    assert filter_norm(fork.model, groups=channel_groups(fork.model, DATA.example))
