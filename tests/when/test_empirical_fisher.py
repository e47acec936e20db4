"""The empirical Fisher, true labels: score and signal against a loop over examples, apart from the Fisher."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from secateurs.core import Batch, Moment, Observation, PruningError, SignalError, Spec
from secateurs.what import SCORES, fisher, fisher_empirical, score
from secateurs.when import SIGNALS, EmpiricalFisherTrace, FisherTrace, signal_of
from secateurs.zoo import Classification, ImageSet

TASK = Classification(3)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


def examples(n: int = 9) -> ImageSet:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 255, (n, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % 3, torch.tensor([127.0]), torch.tensor([60.0]))


def by_hand(model: nn.Module, batch: Batch) -> list[dict[str, Tensor]]:
    """Squared gradient of log p(y_i | x_i) at the true label, example by example."""
    found = []
    for x, y in zip(batch.inputs, batch.targets, strict=True):
        model.zero_grad()
        F.log_softmax(model(x[None]), -1)[0, y].backward()
        found.append({n: p.grad.clone() ** 2 for n, p in model.named_parameters() if p.grad is not None})
    model.zero_grad()
    return found


def test_the_score_is_the_mean_of_squared_gradients_at_the_true_labels() -> None:
    model, data = network(), examples()
    squares = by_hand(model, data.batch(torch.arange(9)))
    scores = fisher_empirical(model, TASK, data.batches(4))
    assert set(scores) == {"1.weight", "3.weight"}
    for name, value in scores.items():
        torch.testing.assert_close(value, torch.stack([s[name] for s in squares]).mean(0), rtol=1e-5, atol=1e-9)
    sampled = fisher(model, TASK, data.batches(4), generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(sampled["3.weight"], scores["3.weight"], rtol=1e-2)


def test_the_signal_is_the_mean_of_squared_norms_at_the_true_labels() -> None:
    model, data = network(), examples()
    norms = torch.stack([sum(s.sum() for s in one.values()) for one in by_hand(model, data.batch(torch.arange(8)))])
    seen = Observation(Moment(3, 1), "epoch", model, TASK, probe=data)
    signal = EmpiricalFisherTrace(samples=8, batch_size=3)
    state, value = signal.update(signal.init(model), seen)
    torch.testing.assert_close(value, norms.mean(), rtol=1e-5, atol=0)
    torch.testing.assert_close(state["standard_error"], norms.std() / 8**0.5, rtol=1e-5, atol=0)
    assert torch.equal(value, signal.update(state, replace(seen, seed=5, moment=Moment(4, 1)))[1])  # nothing is drawn


def test_both_stand_under_their_own_names() -> None:
    assert SCORES["fisher_empirical"] is fisher_empirical
    assert SIGNALS["fisher_trace_empirical"] is EmpiricalFisherTrace
    assert signal_of(Spec("fisher_trace_empirical")).name == "fisher_trace_empirical"
    assert FisherTrace().name == "fisher_trace"
    assert set(score("fisher_empirical", network(), TASK, examples().batches(4))) == {"1.weight", "3.weight"}


def test_what_they_lack_is_told_by_their_own_names() -> None:
    model = network()
    with pytest.raises(PruningError, match="fisher_empirical: pass the task"):
        fisher_empirical(model)
    with pytest.raises(PruningError, match="fisher_empirical: no data"):
        fisher_empirical(model, TASK)
    with pytest.raises(SignalError, match="fisher_trace_empirical: samples"):
        EmpiricalFisherTrace(samples=1)
    with pytest.raises(SignalError, match="fisher_trace_empirical: needs a probe"):
        EmpiricalFisherTrace().update({}, Observation(Moment(0, 1), "epoch", model, TASK))
