"""Whole networks: per-sample squares against one backward pass per example; where layers do not serve, vmap does."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import Batch, PruningError
from secateurs.what import Labels, PerSample
from secateurs.zoo import Classification

TASK = Classification(4)


class Plain(nn.Module):
    """Convolution, norm, in-place ReLU, a residual sum, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.out = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.first(x)), inplace=True)
        x = x + torch.tanh(self.second(x))
        y: Tensor = self.out(x.mean((2, 3)))
        return y


class Twice(Plain):
    """One layer used twice."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.norm(self.first(x)))
        y: Tensor = self.out(self.second(torch.tanh(self.second(x))).mean((2, 3)))
        return y


class Scaled(Plain):
    """A parameter that belongs to no known layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.b(torch.tanh(self.a(x.mean((1, 2)))))
        return y


def case(kind: type[nn.Module]) -> tuple[nn.Module, Batch]:
    torch.manual_seed(1)
    net = kind().double()
    shape = (5, 2, 6, 4)
    return net, Batch(torch.randn(shape, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 1]))


def oracle(net: nn.Module, batch: Batch) -> list[dict[str, Tensor]]:
    modes = [m.training for m in net.modules()]
    net.eval()
    found = []
    for x, y in zip(batch.inputs, batch.targets, strict=True):
        loss = F.cross_entropy(net(x[None]), y[None])
        grads = torch.autograd.grad(loss, list(net.parameters()))
        found.append(dict(zip((name for name, _ in net.named_parameters()), grads, strict=True)))
    for module, mode in zip(net.modules(), modes, strict=True):
        module.training = mode
    return found


@pytest.mark.parametrize(
    ("kind", "warning"),
    [
        (Plain, None),
        (Twice, "layer 'second' is used more than once"),
        (Scaled, r"\(Scaled\) has no rule"),
        (Tied, "a.weight and b.weight are one parameter"),
    ],
)
def test_squares_are_those_of_one_backward_pass_per_example(kind: type[nn.Module], warning: str | None) -> None:
    net, batch = case(kind)
    expected = oracle(net, batch)
    names = [name for name, _ in net.named_parameters()]

    def measure() -> tuple[Tensor, dict[str, Tensor]]:
        per_sample = PerSample(net, TASK, names, labels="true")
        return per_sample.squared_norms(batch), per_sample.squares(batch)

    if warning is None:
        norms, squares = measure()
    else:
        with pytest.warns(UserWarning, match=warning):
            norms, squares = measure()
    wanted = torch.stack([sum(g.square().sum() for g in each.values()) for each in expected])
    torch.testing.assert_close(norms, wanted, rtol=1e-10, atol=1e-12)
    for name in names:
        summed = torch.stack([each[name].square() for each in expected]).sum(0)
        torch.testing.assert_close(squares[name], summed, rtol=1e-10, atol=1e-12)


def test_only_the_parameters_that_are_meant_count() -> None:
    net, batch = case(Plain)
    found = PerSample(net, TASK, ["out.weight"], labels="true").squared_norms(batch)
    wanted = torch.stack([each["out.weight"].square().sum() for each in oracle(net, batch)])
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [Plain, Twice])
def test_sampled_labels_do_not_depend_on_the_form(kind: type[nn.Module]) -> None:
    """Both forms draw the same y from one seed: the model's probabilities, one draw an example."""
    net, batch = case(kind)
    net.eval()
    y = TASK.predictive(net(batch.inputs)).sample(torch.Generator().manual_seed(3))
    names = [name for name, _ in net.named_parameters()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampled = PerSample(net, TASK, names, generator=torch.Generator().manual_seed(3)).squared_norms(batch)
        true = PerSample(net, TASK, names, labels="true").squared_norms(Batch(batch.inputs, y))
    torch.testing.assert_close(sampled, true)


def test_masked_weights_act_as_zero() -> None:
    net, batch = case(Plain)
    kept = torch.rand(net.second.weight.shape) < 0.5
    names = [name for name, _ in net.named_parameters()]
    found = PerSample(net, TASK, names, labels="true", mask={"second.weight": kept}).squared_norms(batch)
    with torch.no_grad():
        net.second.weight.masked_fill_(~kept, 0)
    torch.testing.assert_close(found, PerSample(net, TASK, names, labels="true").squared_norms(batch))


@pytest.mark.parametrize("labels", ["sampled", "true", "exact"])
def test_nothing_depends_on_how_many_examples_are_passed_at_once(
    labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, batch = case(Plain)
    names = [name for name, _ in net.named_parameters()]

    def measured() -> tuple[Tensor, dict[str, Tensor]]:
        per_sample = PerSample(net, TASK, names, labels=labels, generator=torch.Generator().manual_seed(2))
        return per_sample.squared_norms(batch), per_sample.squares(batch)

    norms, squares = measured()
    monkeypatch.setattr("secateurs.what.persample._AT_ONCE", 2)
    again, squares_again = measured()
    torch.testing.assert_close(again, norms, rtol=1e-12, atol=0)
    torch.testing.assert_close(squares_again, squares, rtol=1e-12, atol=1e-15)


def test_large_layers_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    net, batch = case(Plain)
    names = [name for name, _ in net.named_parameters()]
    whole = PerSample(net, TASK, names, labels="true").squared_norms(batch)
    monkeypatch.setattr("secateurs.what.layers._BYTES", 1)
    torch.testing.assert_close(PerSample(net, TASK, names, labels="true").squared_norms(batch), whole)


class Spoilt(nn.Module):
    """The input of a layer is changed after its use; its weight does not mind, its gradient would."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4, dtype=torch.float64), nn.Linear(4, 4, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((1, 2)).clone()
        y: Tensor = self.second(torch.tanh(self.first(x)))
        x.mul_(2)
        return y


def test_an_input_that_is_changed_after_its_use_is_noticed() -> None:
    _, batch = case(Plain)
    message = "by vmap.*the input of layer 'first' is changed in place after its use"
    # Nor can it be trained: PyTorch says so.
    with (
        pytest.warns(UserWarning, match=message),
        pytest.raises(RuntimeError, match="modified by an inplace operation"),
    ):
        PerSample(Spoilt(), TASK, ["first.weight"], labels="true").squared_norms(batch)


def test_autocast_and_channels_last_are_the_same_but_for_rounding() -> None:
    net, batch = case(Plain)
    names = [name for name, _ in net.named_parameters()]
    exact = PerSample(net, TASK, names, labels="true").squared_norms(batch)
    net.float()
    last = Batch(batch.inputs.float().contiguous(memory_format=torch.channels_last), batch.targets)
    per_sample = PerSample(net, TASK, names, labels="true")
    torch.testing.assert_close(per_sample.squared_norms(last).double(), exact, rtol=1e-4, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        low, squares = per_sample.squared_norms(last), per_sample.squares(last)
    assert low.dtype == torch.float32
    assert all(each.dtype == torch.float32 for each in squares.values())
    torch.testing.assert_close(low.double(), exact, rtol=0.1, atol=0)


def test_parameters_that_no_gradient_reaches_have_zero() -> None:
    class Idle(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.idle = nn.Linear(2, 2)

    net, batch = case(Idle)
    assert not PerSample(net, TASK, ["idle.weight"], labels="true").squared_norms(batch).any()


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64])
def test_parameters_that_are_not_real_are_refused_by_name(dtype: torch.dtype) -> None:
    net, _ = case(Plain)
    net.register_parameter("odd", nn.Parameter(torch.zeros(2, dtype=dtype), requires_grad=False))
    with pytest.raises(PruningError, match=r"parameter 'odd' is (complex64|int64).*freeze it with requires_grad_"):
        PerSample(net, TASK, ["odd"], labels="true")


@pytest.mark.parametrize("kind", [Plain, Twice])
def test_no_trace_is_left(kind: type[nn.Module]) -> None:
    net, batch = case(kind)
    net.first.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes, state = [m.training for m in net.modules()], torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        per_sample = PerSample(net, TASK, ["first.weight", "second.weight"], generator=torch.Generator())
        per_sample.squares(batch)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in net.modules())


def test_what_is_missing_is_named() -> None:
    net, _ = case(Plain)
    with pytest.raises(PruningError, match="explicit generator"):
        PerSample(net, TASK, ["out.weight"])
    with pytest.raises(PruningError, match="object has no predictive"):
        PerSample(net, object(), ["out.weight"], labels="true")  # type: ignore[arg-type]
