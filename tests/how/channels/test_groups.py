"""Which channels go together, what stays, what is refused, and that nothing is left behind."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channel_nets import PICTURES, STRUCTURES, Conv, Net, structure
from secateurs.core import Batch, PruningError
from secateurs.how import channel_groups

X = torch.randn(PICTURES, generator=torch.Generator().manual_seed(0))


def refusal(model: nn.Module, match: str, x: object = X, **options: object) -> None:
    with pytest.raises(PruningError, match=match):
        channel_groups(model, x, **options)  # type: ignore[arg-type]


def test_members_of_a_residual_network_with_a_padded_shortcut() -> None:
    model, x = structure("option A")
    stream, inner = channel_groups(model, x)
    index = {(m.name, m.dim): m.index for m in stream.members}
    assert index["stem.weight", 0] == tuple((i,) if i < 4 else () for i in range(8))
    assert index["conv2.weight", 0] == ((2,), (3,), (4,), (5,), (0,), (1,), (6,), (7,))
    assert index["conv2.weight", 0] == index["conv3.weight", 0] == index["conv3.weight", 1] == index["fc.weight", 1]
    assert stream.paddings[0].name == "pad"
    assert stream.paddings[0].before == ((), (), (), (), (0,), (1,), (), ())
    assert {m.role for m in inner.members} == {"output", "norm", "buffer", "input"}
    assert [m.name for m in inner.members if m.role == "buffer"] == ["bn1.running_mean", "bn1.running_var"]


def test_units_have_several_positions_where_they_are_flattened_or_grouped() -> None:
    (group,) = channel_groups(*structure("depth multiplier"))
    index = {(m.name, m.dim): m.index for m in group.members}
    assert index["1.weight", 0] == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert index["4.weight", 1][1] == tuple(range(72, 144))
    _, paths = channel_groups(*structure("res next"))
    index = {(m.name, m.dim): m.index for m in paths.members}
    assert index["one.weight", 0][3] == (6, 7)
    assert index["two.weight", 0][3] == index["three.weight", 1][3] == (9, 10, 11)
    assert ("two.weight", 1) not in index


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_model_is_left_as_it_was(name: str) -> None:
    model, x = structure(name)
    model.train()
    model(x).sum().backward()
    model[0].eval() if isinstance(model, nn.Sequential) else None
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    gradients = [(p, p.grad, p.grad.clone()) for p in model.parameters() if p.grad is not None]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    random = torch.get_rng_state()
    channel_groups(model, x)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is grad and torch.equal(grad, values) for p, grad, values in gradients)
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == hooks
    assert torch.equal(torch.get_rng_state(), random)


def test_examples_of_any_form() -> None:
    model = Net(lambda net, x, y: net.two(F.relu(net.one(x) + net.other(y))), one=Conv(3, 4, 1), other=Conv(3, 4, 1))
    model.add_module("two", Conv(4, 2, 1))
    assert channel_groups(model, (X, X)) == channel_groups(model, [X, X])
    plain = nn.Sequential(Conv(3, 4, 1), Conv(4, 2, 1))
    assert (
        channel_groups(plain, X)
        == channel_groups(plain, Batch(X, torch.zeros(2)))
        == channel_groups(plain, {"input": X})
    )


def test_excluded_modules_stay_whole() -> None:
    model, x = structure("dense net")
    names = [group.name for group in channel_groups(model, x, exclude=["layers.1", "transition"])]
    assert names == ["layers.0.2", "layers.2.2"]
    refusal(model, "no module 'layer'; choices: .*; did you mean 'layers'", x, exclude=["layer"])


def test_what_is_returned_or_normalised_together_stays() -> None:
    refusal(nn.Linear(8, 3), "no channels that could be removed: the model returns them", torch.zeros(2, 8))
    refusal(
        nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3)),
        "'1' .LayerNorm.: all channels are norm",
        torch.zeros(2, 8),
    )
    refusal(
        Net(lambda net, x: net.two(net.one(x).softmax(1)), one=Conv(3, 4, 1), two=Conv(4, 2, 1)),
        "softmax.* goes over all",
    )
    refusal(
        Net(lambda net, x: net.two(net.one(x).mean(1, keepdim=True)), one=Conv(3, 4, 1), two=Conv(1, 2, 1)), "mean.*all"
    )
    refusal(Net(lambda net, x: net.two(net.one(x)[:, :2]), one=Conv(3, 6, 1), two=Conv(2, 2, 1)), "unequal parts")
    refusal(Net(lambda net, x: net.two(net.one(x)[:, [0, 3]]), one=Conv(3, 6, 1), two=Conv(2, 2, 1)), "by number")
    padded = Net(lambda net, x: net.two(F.pad(net.one(x), (0, 0, 0, 0, 1, 1))), one=Conv(3, 2, 1), two=Conv(4, 2, 1))
    refusal(padded, "ZeroPad3d")


def heads(net: Net, x: Tensor) -> Tensor:
    q, k = (layer(x).unflatten(2, (2, 3)).transpose(1, 2) for layer in (net.q, net.k))
    return net.out((q @ k.transpose(2, 3)).flatten(1))


def test_heads_whose_number_is_written_down_stay() -> None:
    model = Net(heads, q=nn.Linear(8, 6), k=nn.Linear(8, 6), out=nn.Linear(32, 2))
    refusal(model, "splits the channels into several dimensions", torch.randn(2, 4, 8))


def filled(net: Net, x: Tensor) -> Tensor:
    y = net.one(x)
    part = torch.zeros_like(y[:, :1]).new_zeros(y.shape)
    part[:, :, 1:] = x.mean(1, keepdim=True)[:, :, 1:]
    return net.two(y + part)


def test_zeros_that_are_filled_are_none() -> None:
    refusal(Net(filled, one=Conv(3, 4, 1), two=Conv(4, 2, 1)), "meet a tensor whose entries stay")


def test_an_example_that_does_not_fit_is_told() -> None:
    model = nn.Sequential(Conv(3, 4, 1), nn.ReLU(), Conv(4, 2, 1))
    refusal(model, "does not get through '0' .Conv2d.", torch.zeros(1, 5, 8, 8))


def branching(net: Net, x: Tensor) -> Tensor:
    y = net.one(x)
    return net.two(y if y.sum() > 0 else -y)


def test_control_flow_that_depends_on_data_is_refused() -> None:
    model = nn.Sequential(Net(branching, one=Conv(3, 4, 1), two=Conv(4, 2, 1)))
    refusal(model, "'0' .Net. takes a number out of a tensor")


def test_layers_called_twice_are_refused_by_name() -> None:
    layers = {"one": Conv(3, 4, 1), "two": Conv(4, 4, 1), "out": Conv(4, 2, 1)}
    model = Net(lambda net, x: net.out(net.two(F.relu(net.two(net.one(x))))), **layers)
    refusal(model, "'two' .Conv2d. is called 2 times.*exclude")
    refusal(model, "no channels that could be removed", exclude=["two"])


def test_operations_without_a_rule_are_refused_by_name() -> None:
    model = nn.Sequential(Conv(3, 8, 1), nn.PixelShuffle(2), Conv(2, 2, 1), nn.ReLU(), Conv(2, 2, 1))
    refusal(model, "'1' .PixelShuffle. uses the operation aten.pixel_shuffle.*exclude=.'1'")
    assert [group.name for group in channel_groups(model, X, exclude=["1"])] == ["2"]


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: net.fc(net.one(x).view(-1, 4 * 64)),
        lambda net, x: net.fc(
            (lambda y: torch.cat([y[:, :2] * y[:, 2:], y[:, 2:] * y[:, :2]], 1))(net.one(x)).flatten(1)
        ),
    ],
)
def test_sizes_written_as_numbers_are_refused(forward: object) -> None:
    refusal(Net(forward, one=Conv(3, 4, 1), fc=nn.Linear(256, 2)), "with channels removed, .* no longer works.*flatten")  # type: ignore[arg-type]


def test_computed_weights_and_several_devices_are_refused() -> None:
    refusal(
        nn.Sequential(nn.utils.parametrizations.weight_norm(Conv(3, 4, 1)), Conv(4, 2, 1)), "'0.weight' is no parameter"
    )
    model = nn.Sequential(Conv(3, 4, 1), Conv(4, 2, 1, device="meta"))
    refusal(model, "on several devices .'0.weight' is on cpu, '1.weight' is on meta")


def test_a_model_on_the_meta_device_can_be_followed() -> None:
    with torch.device("meta"):
        model = nn.Sequential(Conv(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), Conv(4, 2, 1))
    assert [group.units for group in channel_groups(model, X)] == [4]


def test_layers_that_took_no_part_are_named_in_a_warning() -> None:
    def forward(net: Net, x: Tensor) -> Tensor:
        y = net.one(x)
        return net.two(y) + net.aux(y).mean() if net.training else net.two(y)

    model = Net(forward, one=Conv(3, 4, 1), two=Conv(4, 2, 1), aux=Conv(4, 1, 1))
    with pytest.warns(UserWarning, match="'aux' took no part in the forward pass in evaluation mode"):
        (group,) = channel_groups(model, X)
    assert group.name == "one"


def test_computed_weights_may_be_excluded() -> None:
    computed = nn.utils.parametrizations.weight_norm(Conv(4, 4, 1))
    model = nn.Sequential(Conv(3, 4, 1), computed, Conv(4, 4, 1), nn.ReLU(), Conv(4, 2, 1))
    assert [group.name for group in channel_groups(model, X, exclude=["1"])] == ["2"]
