"""Evaluation: explicit means, whatever the batch size, and no trace on the network."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import Batch, DataError
from secateurs.measure import evaluate
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, Fixed, NoPrediction, generator, net, unchanged

TASK = Classification(CLASSES)


def examples(n: int = 11) -> Fixed:
    return Fixed(torch.rand(n, 1, 6, 6, generator=generator(4)), torch.arange(n) % CLASSES)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 11, 512])
def test_it_is_the_mean_over_examples_in_evaluation_mode(batch_size: int) -> None:
    model, data = net(), examples()
    with unchanged(model):
        found = evaluate(model, TASK, data, batch_size=batch_size)
    twin = copy.deepcopy(model).double().eval()
    losses, correct = [], 0
    for x, y in zip(data.inputs.double(), data.targets.tolist(), strict=True):
        z = twin(x.unsqueeze(0))[0].tolist()
        losses.append(math.log(sum(map(math.exp, z))) - z[y])
        correct += z.index(max(z)) == y
    assert set(found) == {"loss", "accuracy"}
    assert found["loss"] == pytest.approx(sum(losses) / 11, rel=1e-5)
    assert found["accuracy"] == correct / 11
    assert data.taken == 11


def test_other_tasks_name_their_own_metrics() -> None:
    assert set(evaluate(net(), NoPrediction(), examples())) == {"loss"}


def test_a_failure_inside_leaves_no_trace() -> None:
    class Breaking(Classification):
        def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
            raise BrokenError

    model = net()
    with unchanged(model), pytest.raises(BrokenError):
        evaluate(model, Breaking(CLASSES), examples())


def test_no_gradient_is_recorded() -> None:
    seen = []

    class Looking(Classification):
        def output(self, model: nn.Module, batch: Batch) -> Tensor:
            seen.append(super().output(model, batch))
            return seen[-1]

    evaluate(net(), Looking(CLASSES), examples(), batch_size=4)
    assert len(seen) == 3
    assert not any(output.requires_grad for output in seen)


def test_of_a_diverged_network_it_says_so() -> None:
    model = net()
    with torch.no_grad():
        model[5].weight.fill_(math.nan)
    found = evaluate(model, TASK, examples())
    assert math.isnan(found["loss"])
    assert 0 <= found["accuracy"] <= 1


def test_nothing_cannot_be_evaluated() -> None:
    with pytest.raises(DataError, match="evaluate: no examples"):
        evaluate(net(), TASK, examples(0))
