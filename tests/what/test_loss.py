"""The mean loss as a function of the weights: gradients and Hessian products against explicit ones in float64."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nets import NETS, N, example
from oracle import LossOracle, furthest
from secateurs.core import Batch, PruningError, prunable
from secateurs.what import MeanLoss
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, NoPrediction, generator, net, unchanged

TASK = Classification(CLASSES)
SMOOTH = ["mlp", "series", "layer norm", "group norm", "volumes", "tied"]


def directions(weights: dict[str, Tensor], seed: int = 3) -> dict[str, Tensor]:
    source = generator(seed)
    return {name: torch.randn(w.shape, generator=source).to(w.dtype) for name, w in weights.items()}


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.double().flatten() for each in tensors.values()])


def some_mask(model: nn.Module, share: float = 0.6) -> dict[str, Tensor]:
    return {key: torch.rand(p.shape, generator=generator(4)) < share for key, p in prunable(model).items()}


@pytest.mark.parametrize("bn", ["running", "batch"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_every_net_against_plain_autograd(name: str, masked: bool, bn: str) -> None:
    model, data = example(name)
    mask = some_mask(model) if masked else None
    with unchanged(model):
        loss = MeanLoss(model, TASK, data.batches(N), mask=mask, bn=bn, temperature=3.0)  # type: ignore[arg-type]
        v = directions(loss.weights)
        g, hg = loss.gradient_and_product()
        hv, alone = loss.product(v), loss.gradient()
    oracle = LossOracle(model, data.inputs, data.targets, [*prunable(model)], mask=mask, bn=bn, temperature=3.0)
    expected = oracle.gradient()
    assert furthest(g, oracle.named(expected)) < 1e-12
    assert furthest(alone, oracle.named(expected)) < 1e-12
    assert furthest(hg, oracle.named(oracle.product(expected))) < 1e-11
    assert furthest(hv, oracle.named(oracle.product(flat(v)))) < 1e-11
    assert furthest(loss.weights, oracle.named(oracle.theta * oracle.kept)) == 0


@pytest.mark.parametrize("name", ["mlp", "conv, norm, dropout", "tied", "used twice", "series"])
def test_small_nets_against_the_explicit_hessian(name: str) -> None:
    model, data = example(name)
    mask = some_mask(model)
    loss = MeanLoss(model, TASK, data.batches(N), mask=mask)
    oracle = LossOracle(model, data.inputs, data.targets, [*prunable(model)], mask=mask)
    hessian = oracle.hessian()
    assert float((hessian - hessian.T).abs().max()) < 1e-12
    v = directions(loss.weights)
    assert furthest(loss.product(v), oracle.named(hessian @ flat(v))) < 1e-11


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_nets_against_finite_differences(name: str) -> None:
    """Where it is smooth: with ReLU, finite differences are not the Hessian product."""
    model, data = example(name)
    loss = MeanLoss(model, TASK, data.batches(N))
    oracle = LossOracle(model, data.inputs, data.targets, [*prunable(model)])
    v = directions(loss.weights)
    step = 1e-5 * flat(v)
    difference = (oracle.gradient(oracle.theta + step) - oracle.gradient(oracle.theta - step)) / 2e-5
    assert furthest(loss.product(v), oracle.named(difference)) < 1e-7


@pytest.mark.parametrize("sizes", [(N,), (1, 6), (3, 3, 1), (1,) * N])
@pytest.mark.parametrize("micro_batch", [None, 1, 2, N, 100])
def test_several_batches_and_passes_are_one_big_batch(sizes: tuple[int, ...], micro_batch: int | None) -> None:
    model, data = example("conv, norm, dropout")
    one = MeanLoss(model, TASK, data.batches(N))
    batches = [Batch(x, y) for x, y in zip(data.inputs.split(sizes), data.targets.split(sizes), strict=True)]
    empty = Batch(data.inputs[:0], data.targets[:0])
    several = MeanLoss(model, TASK, iter([empty, *batches]), micro_batch=micro_batch)
    v = directions(one.weights)
    for found, expected in zip(several.gradient_and_product(), one.gradient_and_product(), strict=True):
        assert furthest(found, expected) < 1e-12
    assert furthest(several.product(v), one.product(v)) < 1e-12


def test_no_pass_is_larger_than_a_micro_batch() -> None:
    model, data = example("mlp")
    seen: list[int] = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    MeanLoss(model, TASK, data.batches(4), micro_batch=3).gradient_and_product()
    handle.remove()
    assert seen == [3, 1, 3] * 2


def test_one_pass_serves_gradient_and_product() -> None:
    model, data = example("mlp")
    seen: list[int] = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    MeanLoss(model, TASK, data.batches(N)).gradient_and_product()
    handle.remove()
    assert seen == [N]


def test_low_precision_is_summed_in_float32() -> None:
    """256 batches of one example: sums in bfloat16 would stop growing."""
    model = nn.Linear(4, CLASSES, bias=False).bfloat16()
    x, y = torch.randn(1, 4, generator=generator(1)).bfloat16(), torch.tensor([0])
    one = MeanLoss(model, TASK, [Batch(x, y)]).gradient()
    many = MeanLoss(model, TASK, [Batch(x, y)] * 256).gradient()
    assert torch.equal(one["weight"], many["weight"])


def test_batch_statistics_are_those_of_the_batch_and_dropout_stays_off() -> None:
    model, data = example("conv, norm, dropout")
    training: dict[str, bool] = {}
    handles = [
        module.register_forward_hook(lambda m, args, output: training.update({type(m).__name__: m.training}))
        for module in model.modules()
    ]
    with unchanged(model):
        MeanLoss(model, TASK, data.batches(N), bn="batch").gradient_and_product()
    for handle in handles:
        handle.remove()
    assert training["BatchNorm2d"]
    assert not training["Dropout"]
    assert not training["Sequential"]


@pytest.mark.parametrize("bn", ["running", "batch"])
def test_norms_that_count_and_track_are_left_alone(bn: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(2, 3, 3),
        nn.BatchNorm1d(3, momentum=None),  # type: ignore[arg-type]
        nn.InstanceNorm1d(3, track_running_stats=True, affine=True),
        nn.BatchNorm1d(3, affine=False),
        nn.ReLU(inplace=True),
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.Flatten(),
        nn.Linear(12, CLASSES),
    ).double()
    x, y = torch.randn(5, 2, 6).double(), torch.arange(5) % CLASSES
    with unchanged(model):
        g, hg = MeanLoss(model, TASK, [Batch(x, y)], bn=bn).gradient_and_product()  # type: ignore[arg-type]
    oracle = LossOracle(model, x, y, [*prunable(model)], bn=bn)
    assert furthest(g, oracle.named(oracle.gradient())) < 1e-12
    assert furthest(hg, oracle.named(oracle.product(oracle.gradient()))) < 1e-11


class Attends(nn.Module):
    """Fused attention, and a part that is computed anew in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.last = nn.Linear(3, 12), nn.Linear(4, CLASSES)
        self.conv, self.norm = nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        y = F.scaled_dot_product_attention(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)).squeeze(1)
        y = checkpoint(lambda z: self.norm(self.conv(z)), y.mT, use_reentrant=False)
        return self.last(torch.tanh(y).mean(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attention_and_checkpoints_can_be_differentiated_twice(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = Attends().to(dtype)
    x, y = torch.randn(4, 5, 3).to(dtype), torch.arange(4) % CLASSES
    loss = MeanLoss(model, TASK, [Batch(x, y)])
    v = directions(loss.weights)
    oracle = LossOracle(model, x, y, [*prunable(model)])
    step = 1e-5 * flat(v)
    difference = (oracle.gradient(oracle.theta + step) - oracle.gradient(oracle.theta - step)) / 2e-5
    assert furthest(loss.product(v), oracle.named(difference)) < (1e-7 if dtype == torch.float64 else 1e-4)


def test_a_weight_that_an_embedding_shares() -> None:
    """The parameter's first name is the embedding's, the weight's is that of the Linear layer."""

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.mixing, self.out = nn.Embedding(6, 4), nn.Linear(4, 4), nn.Linear(4, 6)
            self.out.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.tanh(self.mixing(self.embedding(x))).mean(1))

    torch.manual_seed(0)
    model, x, y = Words().double(), torch.randint(0, 6, (N, 3), generator=generator()), torch.arange(N) % 6
    for names in (None, ["out.weight"], ["embedding.weight"]):
        wanted = [*prunable(model)] if names is None else names
        mask = {"out.weight": torch.rand(6, 4, generator=generator()) < 0.5} if names != ["embedding.weight"] else None
        g, hg = MeanLoss(model, Classification(6), [Batch(x, y)], names, mask=mask).gradient_and_product()
        oracle = LossOracle(model, x, y, wanted, mask=mask)
        assert furthest(g, oracle.named(oracle.gradient())) < 1e-12
        assert furthest(hg, oracle.named(oracle.product(oracle.gradient()))) < 1e-11
    with pytest.raises(PruningError, match=r"'out\.weight' and 'embedding\.weight' are one parameter"):
        MeanLoss(model, TASK, [Batch(x, y)], ["out.weight", "embedding.weight"])


def test_only_the_named_weights_take_part_in_g_and_h() -> None:
    model, data = example("conv, norm, dropout")
    names = ["5.weight", "5.bias", "1.weight"]
    g, hg = MeanLoss(model, TASK, data.batches(N), names).gradient_and_product()
    oracle = LossOracle(model, data.inputs, data.targets, names)
    assert furthest(hg, oracle.named(oracle.hessian() @ oracle.gradient())) < 1e-11
    assert list(g) == names


def test_a_mask_over_other_weights_than_the_named_ones() -> None:
    model, data = example("conv, norm, dropout")
    mask = {"0.weight": torch.rand(3, 1, 3, 3, generator=generator()) < 0.5}
    found = MeanLoss(model, TASK, data.batches(N), ["5.weight"], mask=mask).gradient()
    with torch.no_grad():
        model[0].weight.mul_(mask["0.weight"])
    assert furthest(found, MeanLoss(model, TASK, data.batches(N), ["5.weight"]).gradient()) == 0


def test_everywhere_is_the_gradient_of_masked_weights_too() -> None:
    model, data = example("conv, norm, dropout")
    mask = some_mask(model)
    loss = MeanLoss(model, TASK, data.batches(N), mask=mask)
    full, kept = loss.gradient(everywhere=True), loss.gradient()
    with torch.no_grad():
        for key, p in prunable(model).items():
            p.mul_(mask[key])
    assert furthest(full, MeanLoss(model, TASK, data.batches(N)).gradient()) == 0
    assert all(torch.equal(kept[key], full[key] * mask[key]) for key in mask)


def test_the_weights_are_copies() -> None:
    model, data = example("mlp")
    with unchanged(model):
        for w in MeanLoss(model, TASK, data.batches(N)).weights.values():
            w.zero_()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_derivatives_are_taken_where_the_caller_has_switched_them_off(context: type) -> None:
    model, data = example("mlp")
    expected = MeanLoss(model, TASK, data.batches(N)).gradient_and_product()
    with context():
        found = MeanLoss(model, TASK, [*data.batches(N)]).gradient_and_product()
    assert all(furthest(one, other) == 0 for one, other in zip(found, expected, strict=True))


class Linear(NoPrediction):
    """A loss that is linear in the output: H is exactly 0, and gradients are constant."""

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        return output.mean(1)


def test_a_constant_gradient_has_no_hessian() -> None:
    model, x = nn.Linear(4, 2), torch.randn(3, 4)
    g, hg = MeanLoss(model, Linear(), [Batch(x, x)]).gradient_and_product()
    torch.testing.assert_close(g["weight"], (x.mean(0) / 2).expand(2, 4))
    assert not hg["weight"].any()


def test_layers_without_use_have_no_gradient() -> None:
    model, data = example("used twice")
    loss = MeanLoss(model, TASK, data.batches(N))
    assert not loss.gradient()["unused.weight"].any()
    assert not loss.gradient_and_product()[1]["unused.weight"].any()
    with pytest.raises(PruningError, match=r"does not depend on 'unused\.weight': is the forward pass detached"):
        MeanLoss(model, TASK, data.batches(N), ["unused.weight"]).gradient()


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: object, g: Tensor) -> Tensor:
        return g.clone()


class DifferentiableOnce(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return Once.apply(super().forward(x))


def test_a_model_that_can_be_differentiated_once_only() -> None:
    model, x = DifferentiableOnce(4, CLASSES), torch.randn(3, 4)
    loss = MeanLoss(model, TASK, [Batch(x, torch.arange(3))], called="grasp")
    assert loss.gradient()["weight"].any()
    with (
        unchanged(model),
        pytest.raises(
            PruningError, match=r"grasp: the model cannot be differentiated twice \(a function in it is marked"
        ),
    ):
        loss.gradient_and_product()


class Broken(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        raise BrokenError


def test_a_failure_inside_leaves_no_trace() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), Broken(4, 4))
    for bn in ("running", "batch"):
        loss = MeanLoss(model, TASK, [Batch(torch.randn(3, 4), torch.arange(3))], bn=bn)  # type: ignore[arg-type]
        with unchanged(model), pytest.raises(BrokenError):
            loss.gradient_and_product()
    x = torch.randn(2, 4)
    loss = MeanLoss(nn.Linear(3, 3), TASK, [Batch(x, torch.arange(2))])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        loss.gradient_and_product()


def test_what_is_wrong_is_said() -> None:
    model = net()
    batch = Batch(torch.rand(4, 1, 6, 6), torch.arange(4) % CLASSES)

    relu, complex_model, counts = nn.ReLU(), complex_layer(), Counts()

    def make(task: object = TASK, batches: object = (batch,), **options: object) -> MeanLoss:
        return MeanLoss(options.pop("model", model), task, batches, called="snip", **options)  # type: ignore[arg-type]

    for call, message in [
        (lambda: make(None), "snip: pass the task"),
        (lambda: make(batches=()), "snip: no data; pass batches of training examples"),
        (lambda: make(batches=[Batch(batch.inputs[:0], batch.targets[:0])]), "snip: no data"),
        (lambda: make(names=["5.wight"]), r"no parameter '5\.wight'.*did you mean '5\.weight'"),
        (lambda: make(bn="running", batches=[]), "no data"),
        (lambda: make(bn="bach"), "bn: there is no 'bach'; choices: batch, running; did you mean 'batch'"),
        (lambda: make(bn="batch", batches=[batch, batch]), "with bn='batch' several batches are not one: score one"),
        (lambda: make(bn="batch", micro_batch=2), "micro_batch: expected at least 1 and bn='running', got 2 and bn='b"),
        (lambda: make(micro_batch=0), "micro_batch: expected at least 1"),
        (lambda: make(NoPrediction(), temperature=5), "temperature=5 divides logits, which NoPrediction does not say"),
        (lambda: make(temperature=0), "temperature: expected a positive number, got 0"),
        (lambda: make(temperature=float("inf")), "temperature: expected a positive number"),
        (lambda: make(mask={"5.wight": torch.ones(3, 27)}), r"mask: the model has no parameter '5\.wight'.*did you"),
        (lambda: make(mask={"5.weight": torch.ones(27, 3)}), r"'5.weight' has shape \(3, 27\) in the model but \(27,"),
        (lambda: make(model=relu), "no prunable weights"),
        (lambda: make(model=complex_model), "'weight' holds torch.complex64: only real"),
        (lambda: make(model=counts, names=["count"]), "'count' holds torch.int64: only real floating-point"),
    ]:
        with unchanged(model), pytest.raises(PruningError, match=message):
            call()


def complex_layer() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Linear(2, 2).to(torch.complex64)


class Counts(nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 2)
        self.count = nn.Parameter(torch.arange(3), requires_grad=False)


def test_what_is_not_finite_is_named() -> None:
    model = net()
    batch = Batch(torch.rand(4, 1, 6, 6), torch.arange(4) % CLASSES)
    with torch.no_grad():
        model[0].bias.fill_(torch.nan)
    with pytest.raises(PruningError, match=r"snip: the loss is nan, and '0\.bias' holds values that are not finite"):
        MeanLoss(model, TASK, [batch], called="snip").gradient()
    model = nn.Linear(4, 2, bias=False).half()
    overflowing = Batch(torch.full((2, 4), 6e4).half(), torch.arange(2))
    with torch.no_grad():
        model.weight.fill_(1e-4)

    class Steep(NoPrediction):
        def losses(self, output: Tensor, batch: Batch) -> Tensor:
            return 10 * output.mean(1)

    with pytest.raises(PruningError, match="the gradient of 'weight' is not finite: has training diverged"):
        MeanLoss(model, Steep(), [overflowing]).gradient()


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, data = example("in place")
        MeanLoss(model, TASK, data.batches(2)).gradient_and_product()


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_the_gradient_of_some_of_the_weights(micro_batch: int | None) -> None:
    model, data = example("mlp")
    loss = MeanLoss(model, TASK, data.batches(N), micro_batch=micro_batch)
    whole, first = loss.gradient(), next(iter(loss.theta))
    assert loss.gradient(only=[]) == {}
    found = loss.gradient(only=[first])
    assert list(found) == [first]
    assert torch.equal(found[first], whole[first])


def test_parameters_are_lent_until_the_model_writes_to_them() -> None:
    model, data = example("mlp")
    loss = MeanLoss(model, TASK, data.batches(N))
    assert all(w.data_ptr() == p.data_ptr() for w, p in zip(loss.theta.values(), prunable(model).values(), strict=True))

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            self.fc.bias.data.zero_()
            return self.fc(x)

    writing = Writes().double()
    with unchanged(writing):
        loss = MeanLoss(writing, TASK, data.batches(N))
        assert not loss.writes
        g = loss.gradient()
    assert loss.writes
    with torch.no_grad():
        writing.fc.bias.zero_()
    expected = MeanLoss(writing.fc, TASK, data.batches(N)).gradient()["weight"]
    assert torch.equal(g["fc.weight"], expected)


class Graph(nn.Module):
    """Its neighbourhoods are a sparse parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 8), nn.Linear(8, CLASSES)
        self.near = nn.Parameter(torch.eye(4).to_sparse(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.b(torch.sparse.mm(self.near, self.a(x)))
        return scores


def test_a_sparse_parameter_is_no_obstacle() -> None:
    found = MeanLoss(Graph(), TASK, [Batch(torch.rand(4, 3), torch.arange(4) % CLASSES)]).gradient()
    assert [*found] == ["a.weight", "b.weight"]
