"""One contract for every score of the table, and for its options: a new entry has to keep it, or it fails here."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from nets import N, example
from oracle import furthest
from secateurs.core import Batch, PruningError, Scores, Spec, prunable
from secateurs.how import keep_top
from secateurs.what import SCORES, check_score, score
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, Fixed, generator, net, unchanged

TASK = Classification(CLASSES)

REQUIRED: dict[str, dict[str, object]] = {}
"""Options without which a score of the table cannot be called."""

VARIANTS = [
    Spec("magnitude", {"unit_variance": True}),
    Spec("snip", {"bn": "batch"}),
    Spec("grasp", {"absolute": True}),
    Spec("grasp", {"temperature": 1.0, "bn": "running"}),
    Spec("gradient_flow", {"bn": "batch"}),
    Spec("obd", {"probes": 2, "bn": "batch"}),
]
SPECS = [*(Spec(name, REQUIRED.get(name, {})) for name in SCORES), *VARIANTS]
BLIND = {"random", "magnitude", "synflow"}  # what the data's values say nothing to
SAMPLED = {"fisher"}  # one label drawn for each example: other batches, other draws

contract = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: " ".join([spec.name, *map(str, spec.options)]))
by_name = pytest.mark.parametrize("name", SCORES)


def having(option: str) -> list[str]:
    return [name for name, function in SCORES.items() if option in inspect.signature(function).parameters]


def scored(spec: Spec, model: nn.Module, data: Fixed | None = None, seed: int = 1, **options: object) -> Scores:
    data = data or Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)), torch.arange(9) % CLASSES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "per-sample gradients by vmap")
        return score(spec, model, TASK, data.batches(len(data)), generator=generator(seed), **options)  # type: ignore[arg-type]


def same(one: Scores, other: Scores) -> bool:
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@contract
@pytest.mark.parametrize("mode", [True, False])
def test_pure(spec: Spec, mode: bool) -> None:
    model = net()
    model[3].train(mode)
    model[0].bias.requires_grad_(False)
    data = Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)), torch.arange(9) % CLASSES)
    inputs, targets = data.inputs.clone(), data.targets.clone()
    with unchanged(model):
        scored(spec, model, data)
    assert torch.equal(data.inputs, inputs)
    assert torch.equal(data.targets, targets)


@contract
def test_each_prunable_weight_gets_a_number(spec: Spec) -> None:
    model = net()
    scores = scored(spec, model)
    assert list(scores) == list(prunable(model))
    for key, p in prunable(model).items():
        assert scores[key].shape == p.shape
        assert scores[key].device == p.device
        assert not scores[key].requires_grad
        assert bool(scores[key].isfinite().all())
        assert len(scores[key].unique()) > 1
        assert scores[key].data_ptr() != p.data_ptr()


@contract
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtypes(spec: Spec, dtype: torch.dtype) -> None:
    model = net(dtype=dtype)
    data = Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)).to(dtype), torch.arange(9) % CLASSES)
    found = scored(spec, model, data)
    assert {values.dtype for values in found.values()} <= {dtype, torch.float32, torch.float64}
    exact = scored(spec, model.double(), Fixed(data.inputs.double(), data.targets))
    if spec.name not in SAMPLED:
        assert furthest(found, exact) < {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.2}[dtype]


@contract
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device(spec: Spec) -> None:
    model = net(dtype=torch.float64)
    data = Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)).double(), torch.arange(9) % CLASSES)
    mask = keep_top(scored(spec, model, data), 0.5)
    here = scored(spec, model, data, mask=mask)
    there = scored(spec, model.cuda(), Fixed(data.inputs.cuda(), data.targets.cuda()), mask=mask)
    assert all(values.is_cuda for values in there.values())
    assert furthest({key: values.cpu() for key, values in there.items()}, here) < 1e-9


@contract
def test_shared_parameters_score_once(spec: Spec) -> None:
    model, data = example("tied")
    with unchanged(model):
        scores = scored(spec, model, data)
    assert list(scores) == ["one.weight", "last.weight"] == list(prunable(model))
    assert all(bool(values.isfinite().all()) for values in scores.values())


@contract
def test_frozen_parameters_are_out_and_stay_frozen(spec: Spec) -> None:
    model = net()
    model[0].requires_grad_(False)
    with unchanged(model):
        assert list(scored(spec, model)) == ["5.weight"]
        assert list(scored(spec, model, names=["0.weight"])) == ["0.weight"]


@contract
def test_names_choose_and_order(spec: Spec) -> None:
    model = net()
    assert list(scored(spec, model, names=["5.weight"])) == ["5.weight"]
    assert list(scored(spec, model, names=["5.weight", "0.weight"])) == ["5.weight", "0.weight"]
    with unchanged(model), pytest.raises(PruningError, match=r"no parameter '5\.wight'.*did you mean '5\.weight'"):
        scored(spec, model, names=["5.wight"])


@contract
def test_masked_weights_act_as_zero_and_score_zero(spec: Spec) -> None:
    model = net()
    kept = keep_top(scored(spec, model), 0.5)
    with unchanged(model):
        masked = scored(spec, model, mask=kept)
    assert all(not masked[key][~kept[key]].any() for key in kept)
    fewer = keep_top(masked, 0.2, within=kept)
    assert all(bool((kept[key] | ~fewer[key]).all()) for key in kept)
    for value in (7.0, 0.0):  # what stands where nothing is left is of no account; a pruned model has zeros there
        with torch.no_grad():
            for key, p in prunable(model).items():
                p[~kept[key]] = value
        assert same(masked, scored(spec, model, mask=kept))


@by_name
def test_what_looks_at_each_weight_alone_needs_no_mask_where_weights_are_zero(name: str) -> None:
    """Not so where g, H or chance join in: a masked weight takes no part in them, one that is 0 does."""
    if name in {"grasp", "gradient_flow", "obd", "random"} | SAMPLED:
        pytest.skip("zero weights are another thing than masked ones here")
    model = net()
    spec = Spec(name, REQUIRED.get(name, {}))
    kept = keep_top(scored(spec, model), 0.5)
    masked = scored(spec, model, mask=kept)
    with torch.no_grad():
        for key, p in prunable(model).items():
            p[~kept[key]] = 0
    bare = scored(spec, model)
    assert all(torch.equal(masked[key], bare[key] * kept[key]) for key in masked)


@contract
def test_a_mask_may_cover_a_part(spec: Spec) -> None:
    model = net()
    mask = {"5.weight": torch.ones(3, 27, dtype=torch.bool)}
    mask["5.weight"][:, ::2] = False
    masked = scored(spec, model, mask=mask, names=["0.weight"])
    assert list(masked) == ["0.weight"]
    assert masked["0.weight"].shape == (3, 1, 3, 3)
    assert bool(masked["0.weight"].any())


@contract
@pytest.mark.parametrize("layer", ["0.weight", "5.weight"])
def test_a_layer_may_be_empty(spec: Spec, layer: str) -> None:
    model = net()
    mask = {key: torch.ones(p.shape, dtype=torch.bool) for key, p in prunable(model).items()}
    mask[layer].zero_()
    with unchanged(model):
        scores = scored(spec, model, mask=mask)
    assert not scores[layer].any()
    assert all(bool(values.isfinite().all()) for values in scores.values())
    assert keep_top(scores, 0.05, within=mask).kept == 5


class WithoutElements(nn.Module):
    """A layer without inputs beside one that has some."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.none = nn.Linear(0, 3, bias=False)
        self.some = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.some(x) + self.none(x[:, :0])


@contract
def test_a_layer_may_have_no_elements(spec: Spec) -> None:
    model = WithoutElements()
    data = Fixed(torch.rand(6, 4, generator=generator(2)), torch.arange(6) % CLASSES)
    scores = scored(spec, model, data)
    assert scores["none.weight"].shape == (3, 0)
    assert keep_top(scores, 0.5).kept == 6


@contract
def test_ties_keep_exactly_so_many(spec: Spec) -> None:
    model = net()
    with torch.no_grad():
        for p in prunable(model).values():
            p.fill_(0.1)
    scores = scored(spec, model)
    for density in (0.1, 0.5, 0.77):
        assert keep_top(scores, density).kept == int(density * 108 + 0.5)


@contract
def test_equal_generators_give_equal_scores_whatever_the_global_state(spec: Spec) -> None:
    model = net()
    one = scored(spec, model)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(99)
        assert same(one, scored(spec, model))


@contract
def test_mode_and_gradients_of_the_model_do_not_matter(spec: Spec) -> None:
    model = net()
    one = scored(spec, model)
    for mode in (True, False):
        model.train(mode).zero_grad()
        assert same(one, scored(spec, model))
    with torch.no_grad():
        assert same(one, scored(spec, model))


@by_name
@pytest.mark.parametrize("size", [1, 2, 4, N])
def test_several_batches_are_one_big_batch(name: str, size: int) -> None:
    if name in SAMPLED:
        pytest.skip("other batches, other draws")
    options = {**REQUIRED.get(name, {}), **({"bn": "running"} if name in having("bn") else {})}
    model, data = example("conv, norm, dropout")
    one = score(Spec(name, options), model, TASK, data.batches(N), generator=generator())
    several = score(Spec(name, options), model, TASK, iter([*data.batches(size)]), generator=generator())
    assert furthest(several, one) < 1e-12


@pytest.mark.parametrize("name", having("micro_batch"))
@pytest.mark.parametrize("size", [1, 3, 100])
def test_micro_batches_are_the_whole(name: str, size: int) -> None:
    options = {**REQUIRED.get(name, {}), "bn": "running"}
    model, data = example("conv, norm, dropout")
    one = score(Spec(name, options), model, TASK, data.batches(4), generator=generator())
    parts = Spec(name, {**options, "micro_batch": size})
    assert furthest(score(parts, model, TASK, data.batches(4), generator=generator()), one) < 1e-12


@pytest.mark.parametrize("name", having("bn"))
def test_batch_statistics_are_those_of_one_batch(name: str) -> None:
    model, data = example("conv, norm, dropout")
    spec = Spec(name, {**REQUIRED.get(name, {}), "bn": "batch"})
    with unchanged(model):
        batch = score(spec, model, TASK, data.batches(N), generator=generator())
        with pytest.raises(PruningError, match=f"{name}: with bn='batch' several batches are not one: score one batch"):
            score(spec, model, TASK, data.batches(4), generator=generator())
        parts = Spec(name, {**spec.options, "micro_batch": 4})
        with pytest.raises(PruningError, match=f"{name}: micro_batch: .*statistics of parts of a batch are not those"):
            score(parts, model, TASK, data.batches(N), generator=generator())
    running = Spec(name, {**spec.options, "bn": "running"})
    assert furthest(batch, score(running, model, TASK, data.batches(N), generator=generator())) > 0.01


@contract
def test_what_is_missing_is_said(spec: Spec) -> None:
    model, data = example("conv, norm, dropout")
    if spec.name in BLIND - {"synflow"}:
        assert score(spec, model, generator=generator())
        return
    with unchanged(model), pytest.raises(PruningError, match=rf"{spec.name}: .*(no data|shape)"):
        score(spec, model, TASK, generator=generator())
    if spec.name != "synflow":
        with unchanged(model), pytest.raises(PruningError, match=f"{spec.name}: pass the task"):
            score(spec, model, None, data.batches(N), generator=generator())
    with pytest.raises(PruningError, match="no prunable weights"):
        score(spec, nn.ReLU(), TASK, data.batches(N), generator=generator())


@contract
def test_scoring_a_diverged_network_is_refused(spec: Spec) -> None:
    model = net()
    with torch.no_grad():
        model[5].weight.fill_(torch.nan)
    if spec.name == "random":
        assert scored(spec, model)
        return
    with (
        unchanged(model),
        pytest.raises(PruningError, match=r"'\d\.weight'.* not finite: has training diverged\?"),
    ):
        scored(spec, model)


def breaking(batches: Iterator[Batch]) -> Iterator[Batch]:
    yield next(batches)
    raise BrokenError


@contract
def test_failing_data_leave_no_trace(spec: Spec) -> None:
    if spec.name in BLIND:
        pytest.skip("looks at no data")
    model, data = example("conv, norm, dropout")
    with unchanged(model), pytest.raises(BrokenError):
        score(spec, model, TASK, breaking(data.batches(4)), generator=generator())
    large = Batch(torch.zeros(2, 1, 9, 9).double(), data.targets[:2])
    with unchanged(model), pytest.raises(RuntimeError):
        score(spec, model, TASK, [large], generator=generator())


@by_name
def test_what_a_score_refuses_whatever_it_is_given_is_refused_before(name: str) -> None:
    """In the same words, so that a plan can tell it; and what is refused before is refused by the score itself."""
    wrong = [{"bn": "batsh"}, {"micro_batch": 0}, {"micro_batch": 4, "bn": "batch"}, {"temperature": 0.0}]
    wrong += [{"temperature": -1.0}, {"temperature": math.inf}, {"probes": 0}, {"labels": "exakt"}]
    wrong += [{"temperature": "hot"}, {"temperature": math.nan}, {"probes": 1.5}, {"micro_batch": "all"}, {"bn": None}]
    data = Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)), torch.arange(9) % CLASSES)
    check_score(Spec(name), "what")
    for options in wrong:
        if all(name in having(option) for option in options):
            with pytest.raises(PruningError, match=rf"^what: {name}: ") as before:
                check_score(Spec(name, options), "what")
            with pytest.raises(PruningError) as then:
                SCORES[name](net(), TASK, data.batches(9), generator=generator(1), **options)
            assert str(before.value) == f"what: {then.value}"


@by_name
def test_a_micro_batch_goes_with_running_statistics(name: str) -> None:
    if name in having("micro_batch"):
        check_score(Spec(name, {"micro_batch": 4, "bn": "running"}), "what")
    if name == "grasp":  # its own default is the other
        with pytest.raises(PruningError, match=r"^grasp: micro_batch: .* at least 1 and bn='running', got 4 and"):
            check_score(Spec(name, {"micro_batch": 4}), "")


@by_name
def test_an_option_that_a_score_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(PruningError, match=f"score '{name}' has no option 'reviev'"):
        score(Spec(name, {"reviev": True}), net())
    if name not in having("revive"):
        with pytest.raises(PruningError, match=f"score '{name}' has no option 'revive'; choices: "):
            score(Spec(name, {"revive": True}), net())
