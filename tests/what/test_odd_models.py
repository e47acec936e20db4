"""Models that do what a score does not expect: they draw, cast, share and compute their weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from secateurs.core import Batch, PruningError, generator_for, prunable
from secateurs.what import SCORES, score
from secateurs.zoo import Classification

TASK = Classification(3)


def batch(n: int = 6) -> Batch:
    inputs = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    return Batch(inputs, torch.arange(n) % 3)


def scored(name: str, model: nn.Module, **options: object) -> dict[str, Tensor]:
    found = score(name, model, TASK, [batch()], generator=generator_for("odd"), **options)  # type: ignore[arg-type]
    return dict(found)


class Draws(nn.Module):
    """Monte Carlo dropout: it draws in evaluation mode, too."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(F.dropout(torch.tanh(self.one(x)), 0.5, training=True))


class Casts(nn.Module):
    """A convolution under the model's own autocast, fed in a lower precision than its weight has."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(4, 6), nn.Conv1d(1, 2, 3), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            y = self.two(torch.tanh(self.one(x)).unsqueeze(1))
        return self.three(torch.tanh(y.float()).flatten(1))


class TwoNames(nn.Module):
    """A layer's weight that the model itself holds under another name, first."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(5, 4))
        self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 3)
        self.a.weight = self.w

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


@pytest.mark.parametrize("name", SCORES)
def test_a_model_that_draws_leaves_the_random_state_alone(name: str) -> None:
    model, before = Draws(), torch.get_rng_state()
    scored(name, model)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["grasp", "gradient_flow", "obd", "snip"])
def test_a_model_with_its_own_autocast(name: str) -> None:
    assert all(each.isfinite().all() for each in scored(name, Casts()).values())


@pytest.mark.filterwarnings("ignore:per-sample gradients by vmap")
@pytest.mark.parametrize("name", SCORES)
def test_a_weight_with_two_names_goes_by_its_layer_s(name: str) -> None:
    torch.manual_seed(0)
    model = TwoNames()
    assert list(prunable(model)) == ["a.weight", "b.weight"]
    keep = {"a.weight": torch.ones(5, 4).bool(), "b.weight": torch.ones(3, 5).bool()}
    keep["a.weight"][0] = False
    found = scored(name, model, mask=keep)
    assert list(found) == ["a.weight", "b.weight"]
    assert not found["a.weight"][0].any()
    alias = scored(name, model, mask={"w": keep["a.weight"]})
    assert all(torch.equal(found[each], alias[each]) for each in found)


@pytest.mark.parametrize("name", SCORES)
def test_masks_of_numbers_serve_and_unknown_names_do_not(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    keep = torch.rand(5, 4) < 0.5
    plain = scored(name, model, mask={"0.weight": keep})
    for dtype in (torch.uint8, torch.float32):
        other = scored(name, model, mask={"0.weight": keep.to(dtype)})
        assert all(torch.equal(plain[each], other[each]) for each in plain)
    with pytest.raises(PruningError, match=rf"{name}: mask: the model has no parameter '9.weight'"):
        scored(name, model, mask={"9.weight": keep})


def test_a_weight_that_is_computed_is_refused_by_name() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(4, 5)), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(PruningError, match=r"'0.weight' is no parameter but computed .* or exclude '0'"):
        prunable(model)
    assert list(prunable(model, exclude=["0"])) == ["2.weight"]


@pytest.mark.parametrize("name", ["snip", "grasp", "fisher", "fisher_empirical", "obd", "synflow"])
def test_plain_pairs_are_batches(name: str) -> None:
    torch.manual_seed(0)
    model, (inputs, targets) = nn.Linear(4, 3), batch()
    pair = score(name, model, TASK, [(inputs, targets)], generator=generator_for("odd"))  # type: ignore[list-item]
    assert torch.equal(pair["weight"], scored(name, model)["weight"])
    with pytest.raises(PruningError, match=rf"{name}: batches are several: pass a list, \[batch\]"):
        score(name, model, TASK, batch(), generator=generator_for("odd"))  # type: ignore[arg-type]
    with pytest.raises(PruningError, match=rf"{name}: a batch is a pair of tensors .*, got dict"):
        score(name, model, TASK, [{"x": inputs}], generator=generator_for("odd"))  # type: ignore[list-item]
