"""What a removal leaves: attributes, shapes, layout, hooks; and that a failed one leaves everything as it was."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from channel_nets import STRUCTURES, Conv, prepared, same, some, state_of, structure
from secateurs.core import Keep, PruningError, Spec
from secateurs.how import channel_groups, cut_in_place, keep_top_channels, mask_channels, remove_channels
from secateurs.how.channels import surgery
from secateurs.how.channels.cutting import Change, commit
from secateurs.zoo import build_model


def trained(name: str = "option A") -> tuple[nn.Module, Tensor, torch.optim.Optimizer, Keep]:
    model, x = structure(name)
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    model(x).square().sum().backward()
    adam.step()
    return model, x, adam, some(channel_groups(model, x), 3)


def test_attributes_follow() -> None:
    model, x = structure("option A")
    stream, inner = channel_groups(model, x)
    keep = Keep([stream, inner], {"stem": torch.tensor([1, 0, 1, 1, 0, 0, 1, 0]).bool(), "conv1": torch.arange(8) < 3})
    small = remove_channels(model, keep)
    assert (small.stem.out_channels, small.conv1.in_channels, small.conv1.out_channels) == (3, 3, 3)
    assert (small.bn1.num_features, small.bn2.num_features, small.fc.in_features) == (3, 4, 4)
    assert small.pad.padding == (0, 0, 0, 0, 0, 1)
    assert torch.equal(small.stem.weight, model.stem.weight[[0, 2, 3]])
    assert torch.equal(small.conv2.weight, model.conv2.weight[[2, 4, 5, 6]][:, :3])
    assert torch.equal(small.bn2.running_var, model.bn2.running_var[[2, 4, 5, 6]])


def test_numbers_of_groups_follow() -> None:
    model, x = structure("group norm")
    keep = Keep(channel_groups(model, x), {"0": torch.tensor([True, False, True, True])})
    small = remove_channels(model, keep)
    assert (small[1].num_groups, small[1].num_channels, small[0].out_channels) == (3, 6, 6)
    model, x = structure("res next")
    small = remove_channels(model, Keep(channel_groups(model, x), {"one": torch.tensor([True, False, False, True])}))
    assert (small.two.groups, small.two.in_channels, small.two.out_channels, small.three.in_channels) == (2, 4, 6, 6)
    model, x = structure("mobile net")
    small = remove_channels(model, Keep(channel_groups(model, x), {"0": torch.arange(8) < 5}))
    assert (small[2][0].groups, small[2][0].in_channels, small[2][0].out_channels) == (5, 5, 5)


def test_the_old_model_stays_as_it_was_and_shares_nothing() -> None:
    model, _, adam, keep = trained()
    before = state_of(model, adam)
    small = remove_channels(model, keep)
    assert same(state_of(model, adam), before)
    mine = {p.data_ptr() for p in (*small.parameters(), *small.buffers())}
    assert not mine & {p.data_ptr() for p in (*model.parameters(), *model.buffers())}


def test_modes_frozen_parameters_layout_dtype_gradients_and_hooks_are_kept() -> None:
    model, x = structure("u-net")
    groups = channel_groups(model, x)
    model = model.float().to(memory_format=torch.channels_last).train()
    model.two.eval()
    model.one.weight.requires_grad_(False)
    model.two.register_forward_hook(lambda module, args, out: out * 2)
    model(x.float()).sum().backward()
    small = remove_channels(model, some(groups, 0))
    assert small.training
    assert not small.two.training
    assert not small.one.weight.requires_grad
    assert len(small.two._forward_hooks) == 1
    assert small.two.weight.dtype == torch.float32
    assert small.two.weight.is_contiguous(memory_format=torch.channels_last)
    assert small.two.weight.grad is not None
    assert small.two.weight.grad.shape == small.two.weight.shape


def test_tied_weights_stay_tied() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.hidden, self.out = nn.Embedding(9, 6), nn.Linear(6, 6), nn.Linear(6, 9, bias=False)
            self.out.weight = self.words.weight

        def forward(self, x: Tensor) -> Tensor:
            x = self.words(x)
            return self.out(x + torch.relu(self.hidden(x)))

    model, x = prepared(Tied()), torch.arange(8).reshape(2, 4)
    groups = channel_groups(model, x)
    assert [(group.name, group.units) for group in groups] == [("words", 6)]
    keep = some(groups, 0)
    masked = copy.deepcopy(model)
    mask_channels(masked, keep)
    small = remove_channels(model, keep)
    torch.testing.assert_close(small(x), masked(x), rtol=1e-10, atol=1e-12)
    cut_in_place(model, keep)
    for each in (small, model):
        assert each.out.weight is each.words.weight
        assert each.words.embedding_dim == each.out.in_features == each.hidden.out_features == int(keep["words"].sum())
    torch.testing.assert_close(model(x), small(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_cut_in_place_gives_the_same_network(name: str) -> None:
    model, x, adam, keep = trained(name)
    modules = list(model.modules())
    expected = remove_channels(model, keep)
    cut_in_place(model, keep, adam)
    assert repr(model) == repr(expected)
    assert all(mine is before for mine, before in zip(model.modules(), modules, strict=True))
    assert same(dict(model.state_dict()), dict(expected.state_dict()))
    assert torch.equal(model(x), expected(x))
    assert [p for group in adam.param_groups for p in group["params"]] == list(model.parameters())


def test_the_state_dict_fits_a_network_built_smaller() -> None:
    model = prepared(build_model(Spec("vgg11", {"width": 8}), (3, 32, 32), 10, seed=0))
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    groups = channel_groups(model, x)
    scores = {group.name: torch.rand(group.units) for group in groups}
    keep = keep_top_channels(groups, scores, 0.5, counted="channels", scope="layer")
    small = remove_channels(model, keep)
    fresh = build_model(Spec("vgg11", {"width": 4}), (3, 32, 32), 10, seed=1).double().eval()
    fresh.load_state_dict(small.state_dict())
    assert torch.equal(fresh(x), small(x))
    assert repr(fresh) == repr(small)


def test_nothing_dropped_is_a_copy() -> None:
    model, x, _, keep = trained()
    whole = remove_channels(model, Keep(keep.groups, {}))
    assert same(dict(whole.state_dict()), dict(model.state_dict()))
    assert torch.equal(whole(x), model(x))


def test_bad_input_is_refused_by_name() -> None:
    model, _, adam, keep = trained()
    before = state_of(model, adam)
    none = Keep(keep.groups, {"conv1": torch.zeros(8, dtype=torch.bool)})
    narrow = Keep(keep.groups, {"stem": torch.arange(8) >= 4})  # the units that the stem makes
    for bad, match in [
        (none, "'conv1' would vanish"),
        (narrow, "'stem' would vanish"),
        (dict(keep), "expected a Keep, which carries its groups, got dict"),
        (some(channel_groups(*structure("u-net")), 0), "does not fit|in the model none"),
    ]:
        for attempt in (
            lambda bad=bad: remove_channels(model, bad, optimizer=adam),
            lambda bad=bad: cut_in_place(model, bad, adam),
            lambda bad=bad: mask_channels(model, bad),
        ):
            with pytest.raises(PruningError, match=match):
                attempt()
    assert same(state_of(model, adam), before)
    cut_in_place(model, keep, adam)
    with pytest.raises(PruningError, match=r"in the model.*make the groups anew"):
        cut_in_place(model, keep, adam)


def test_half_a_group_of_a_grouped_convolution_is_refused() -> None:
    from secateurs.core import Group, Member

    model = nn.Sequential(Conv(3, 4, 1), Conv(4, 4, 1, groups=2), Conv(4, 2, 1))
    index = tuple((i,) for i in range(4))
    group = Group("0", 4, (Member("0.weight", 0, index, "output"), Member("1.weight", 0, index, "output")))
    with pytest.raises(
        PruningError, match=re.escape("'1' has 2 groups of 2 channels, which can only be removed whole")
    ):
        remove_channels(model, Keep([group], {"0": torch.tensor([True, True, True, False])}))


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("act", [remove_channels, cut_in_place])
def test_a_failure_at_any_moment_changes_nothing(act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The n-th cut of a tensor fails: a parameter, a buffer, a gradient, a moment of Adam."""
    model, _, adam, keep = trained()
    before, real = state_of(model, adam), surgery.cut
    for moment in range(200):
        left = [moment]

        def failing(tensor: Tensor, places: Any, left: list[int] = left) -> Tensor:
            left[0] -= 1
            if left[0] < 0:
                raise BrokenError
            return real(tensor, places)

        with monkeypatch.context() as patch:
            for module in ("cutting", "moving"):
                patch.setattr(f"secateurs.how.channels.{module}.cut", failing)
            try:
                act(model, keep, optimizer=adam)
            except BrokenError:
                assert same(state_of(model, adam), before)
            else:
                break
    assert moment > 20
    assert not same(state_of(model, adam)["groups"], before["groups"])


class Around(torch.optim.Optimizer):
    """Around another optimiser, as people write it: its state and groups are there to be read."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        self.base = base

    state = property(lambda self: self.base.state)  # type: ignore[assignment]
    param_groups = property(lambda self: self.base.param_groups)  # type: ignore[assignment]


@pytest.mark.parametrize("act", [remove_channels, cut_in_place])
def test_an_optimiser_whose_state_cannot_be_replaced_leaves_everything_as_it_was(act: Callable[..., Any]) -> None:
    model, _, adam, keep = trained()
    before = state_of(model, adam)
    with pytest.raises(AttributeError):
        act(model, keep, optimizer=Around(adam))
    assert same(state_of(model, adam), before)


def test_changes_that_were_made_before_one_that_fails_are_taken_back() -> None:
    class Once(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if value == 2:
                raise BrokenError
            super().__setitem__(key, value)

    first, last = {"a": 1}, Once(b=1)
    with pytest.raises(BrokenError):
        commit([Change(first, "a", 2), Change(last, "b", 2)])
    assert (first, last) == ({"a": 1}, {"b": 1})


def test_a_failure_while_the_changes_are_made_takes_them_back() -> None:
    class Stubborn(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if key == "params" and len(value) == 1 and value[0] is not self["params"][0]:
                raise BrokenError
            super().__setitem__(key, value)

    model, x = structure("option A")
    sgd = torch.optim.SGD([{"params": [p]} for p in model.parameters()], lr=0.1, momentum=0.9)
    model(x).sum().backward()
    sgd.step()
    keep = some(channel_groups(model, x), 3)
    sgd.param_groups[-2] = Stubborn(sgd.param_groups[-2])  # the weight of the classifier
    before = state_of(model, sgd)
    for act in (remove_channels, cut_in_place):
        with pytest.raises(BrokenError):
            act(model, keep, optimizer=sgd)  # type: ignore[operator]
        assert same(state_of(model, sgd), before)
