"""Gates that are really put in give what derivatives by weights give, and step back where they cannot be put in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from gated_nets import NETS, each, example, made_by, normed_by, read_by
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from oracle import furthest
from secateurs.core import Batch, Group, Member, Spec
from secateurs.how import channel_groups
from secateurs.what import channel_score
from secateurs.what.channels.live import GateLoss
from secateurs.zoo import Classification
from secateurs.zoo.models import build_model
from toys import CLASSES, Fixed, generator, unchanged

TASK = Classification(CLASSES)
SPECS = [
    Spec("snap"),
    Spec("crop_gate", {"micro_batch": 3}),
    Spec("crop_gate_eq6"),
    Spec("crop_gate_eq6", {"hessian": "group"}),
]

specs = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: " ".join([spec.name, *map(str, spec.options)]))


class Compared:
    """Scores a model with gates and by weights; ``live`` says whether gates were put in each time they were tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live: list[bool] = []
        self._patch, self._found = monkeypatch, GateLoss._found

    def __call__(self, spec: Spec, model: nn.Module, inputs: Tensor, groups: Any, **options: Any) -> float:
        """The furthest that the two are apart."""

        def watched(*args: Any) -> Any:
            rows = self._found(*args)
            self.live.append(rows is not None)
            return rows

        scores = []
        self.live = []
        for way in (watched, lambda *args: None):
            self._patch.setattr(GateLoss, "_found", way)
            batch = Batch(inputs, torch.arange(len(inputs)) % CLASSES)
            with unchanged(model):
                scores.append(channel_score(model, TASK, [batch], groups, name=spec, **options))
        return furthest(*scores)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    return Compared(monkeypatch)


@specs
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_gates_are_put_in_and_give_the_same(compared: Compared, spec: Spec, masked: bool, name: str) -> None:
    model, data, groups = example(name)
    source = generator(2)
    mask = {key: torch.rand(p.shape, generator=source) > 0.3 for key, p in model.named_parameters()} if masked else None
    assert compared(spec, model, data.inputs, groups, mask=mask) < 1e-11
    assert compared.live
    assert all(compared.live)


ZOO = [
    (Spec("resnet20", {"width": 4}), (3, 8, 8)),
    (Spec("vgg11", {"width": 4}), (3, 32, 32)),
    (Spec("densenet", {"growth": 4, "depth": 10}), (3, 8, 8)),
    (Spec("mobilenet_v1", {"width": 8}), (3, 32, 32)),
    (Spec("resnext29", {"width": 8}), (3, 8, 8)),
    (Spec("resnet50", {"width": 4}), (3, 32, 32)),
]


@pytest.mark.parametrize(("spec", "shape"), ZOO, ids=[spec.name for spec, _ in ZOO])
def test_networks_of_the_zoo(compared: Compared, spec: Spec, shape: tuple[int, ...]) -> None:
    model = build_model(spec, shape, CLASSES, 0).double()
    inputs = torch.randn(4, *shape, generator=generator(1)).double()
    groups = channel_groups(model, inputs[:1])
    for score in (Spec("snap"), Spec("crop_gate", {"micro_batch": 3}), Spec("crop_gate_eq6")):
        assert compared(score, model, inputs, groups) < 1e-9
        assert all(compared.live)


class Wrapped(nn.Module):
    """Two linear layers, what comes between being what a test says; the hidden units are one group."""

    def __init__(self, between: Callable[[Wrapped, Tensor], Tensor], layers: nn.Module | None = None) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(5, CLASSES)
        self.inner = layers
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.between(self, self.one(x)))


HIDDEN = [Group("one", 5, (*made_by("one", each(5)), read_by("two", each(5))))]


class Doubles(torch.autograd.Function):
    """A function of one's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * g


def scaled_by_a_constant(model: Wrapped, y: Tensor) -> Tensor:
    with torch.no_grad():
        scale = y.square().mean().sqrt()
    return torch.tanh(y / scale)


def straight_through(model: Wrapped, y: Tensor) -> Tensor:
    return torch.tanh(y + (y.round() - y).detach())


def again_with_its_weight(model: Wrapped, y: Tensor) -> Tensor:
    """The first layer's weight is used twice, once by hand."""
    return torch.tanh(y @ model.one.weight @ model.one.weight.T + model.one.bias)


BETWEEN: dict[str, tuple[Callable[[Wrapped, Tensor], Tensor], tuple[bool, bool]]] = {
    "in place": (lambda model, y: y.relu_(), (True, True)),
    "gelu": (lambda model, y: F.gelu(y), (True, True)),
    "one example at a time": (lambda model, y: torch.stack([torch.tanh(row) for row in y]), (True, True)),
    "straight through": (straight_through, (True, True)),
    "weight used again": (again_with_its_weight, (True, True)),
    "constant scale": (scaled_by_a_constant, (True, False)),
    "function of one's own": (lambda model, y: Doubles.apply(y), (True, False)),  # type: ignore[no-untyped-call]
    "checkpointed": (lambda model, y: checkpoint(torch.sin, y, use_reentrant=False), (True, True)),
}


@specs
@pytest.mark.parametrize("name", BETWEEN)
def test_odd_models(compared: Compared, spec: Spec, name: str) -> None:
    torch.manual_seed(0)
    between, (first, second) = BETWEEN[name]
    model = Wrapped(between).double()
    assert compared(spec, model, torch.randn(5, 4, generator=generator(1)).double(), HIDDEN) < 1e-11
    assert all(compared.live) == (first if spec.name == "snap" else second)


class Unused(Wrapped):
    """A layer that makes channels and is never called."""

    def __init__(self) -> None:
        super().__init__(lambda model, y: torch.tanh(y))
        self.idle = nn.Linear(4, 2)


class Bounded(Wrapped):
    """A layer whose weight is bounded in place as it is used."""

    def __init__(self, data: bool) -> None:
        super().__init__(lambda model, y: torch.tanh(y))
        self.data = data

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            weight = self.one.weight.data if self.data else self.one.weight
            weight.clamp_(-0.1, 0.1)
        return super().forward(x)


class Checkpointed(Wrapped):
    """A gated layer that is computed anew in the backward pass."""

    def __init__(self) -> None:
        super().__init__(lambda model, y: torch.tanh(y))

    def forward(self, x: Tensor) -> Tensor:
        return self.two(torch.tanh(checkpoint(self.one, x, use_reentrant=False)))


@specs
def test_where_gates_cannot_be_put_in(compared: Compared, spec: Spec) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(5, 4, generator=generator(1)).double()
    idle = Group("idle", 2, tuple(made_by("idle", each(2))))
    assert compared(spec, Unused().double(), inputs, [*HIDDEN, idle]) < 1e-11
    assert not any(compared.live)
    model = Checkpointed().double()
    assert compared(spec, model, inputs, HIDDEN) < 1e-11


@specs
@pytest.mark.parametrize("data", [False, True])
def test_a_model_that_writes_to_its_weights_gets_copies(compared: Compared, spec: Spec, data: bool) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(5, 4, generator=generator(1)).double()
    model = Bounded(data).double()
    assert compared(spec, model, inputs, HIDDEN) < 1e-11  # and leaves it unchanged
    assert float(model.one.weight.detach().abs().max()) > 0.1


class Recurrent(nn.Module):
    """Hidden units of an LSTM, and an embedding's features: parameters that are multiplied themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.fc = nn.Embedding(7, 4), nn.LSTM(4, 3, batch_first=True), nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(x))[0][:, -1])


@specs
def test_parameters_of_other_layers(compared: Compared, spec: Spec) -> None:
    torch.manual_seed(0)
    model = Recurrent().double()
    gates = tuple(tuple(u + 3 * gate for gate in range(4)) for u in range(3))
    hidden = [
        Member(f"lstm.{name}_l0", 0, gates, "output") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    groups = [
        Group("lstm", 3, (*hidden, Member("lstm.weight_hh_l0", 1, each(3), "input"), read_by("fc", each(3)))),
        Group("embedding", 4, (Member("embedding.weight", 1, each(4), "output"), read_by("lstm", each(4)))),
    ]
    groups[1] = Group("embedding", 4, groups[1].members[:1])
    inputs = torch.randint(0, 7, (5, 6), generator=generator(1))
    assert compared(spec, model, inputs, groups) < 1e-11
    assert compared.live


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 6, dropout=0.1, batch_first=True)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block(x).mean(1))


@specs
def test_attention_has_no_path_of_its_own(compared: Compared, spec: Spec) -> None:
    """Where no parameter has a gradient, torch would compute the whole block in one operation."""
    torch.manual_seed(0)
    model = Attends().double()
    groups = [Group("ffn", 6, (*made_by("block.linear1", each(6)), read_by("block.linear2", each(6))))]
    assert compared(spec, model, torch.randn(5, 3, 8, generator=generator(1)).double(), groups) < 1e-11
    assert all(compared.live)
    assert torch.backends.mha.get_fastpath_enabled()


@specs
def test_low_precision_and_transposed_convolutions(compared: Compared, spec: Spec) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.ConvTranspose2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(36, CLASSES)
    )
    nine = tuple(tuple(range(9 * u, 9 * u + 9)) for u in range(4))
    made = (Member("0.weight", 1, each(4), "output"), Member("0.bias", 0, each(4), "output"))
    groups = [Group("0", 4, (*made, *normed_by("1", each(4)), read_by("4", nine)))]
    inputs = torch.randn(5, 1, 2, 2, generator=generator(1))
    assert compared(spec, model, inputs, groups) < 1e-4
    assert all(compared.live)
    assert compared(spec, model.double(), inputs.double(), groups) < 1e-11
    batches = Fixed(inputs.bfloat16(), torch.arange(5) % CLASSES).batches(5)
    assert all(v.isfinite().all() for v in channel_score(model.bfloat16(), TASK, batches, groups, name=spec).values())


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_a_gradient_over_nothing_is_zero(micro_batch: int | None) -> None:
    model, data, groups = example("mlp")
    spec = Spec("crop_gate", {"names": (), "micro_batch": micro_batch})
    found = channel_score(model, TASK, data.batches(len(data)), groups, name=spec)
    assert all(not values.any() for values in found.values())
