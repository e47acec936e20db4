"""CKA against the definition with n x n matrices in float64, what it is blind to, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import DataError, MeasureError
from secateurs.measure import cka, cka_matrix, outputs
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, generator, net, unchanged

TASK = Classification(CLASSES)


def made(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def by_definition(x: Tensor, y: Tensor) -> float:
    """P4 eq. 2: Cov(X, Y) = tr(X X' H Y Y' H) / (m - 1)^2 with the centring matrix H."""
    x, y = x.double(), y.double()
    m = len(x)
    h = torch.eye(m, dtype=torch.float64) - torch.ones(m, m, dtype=torch.float64) / m

    def cov(a: Tensor, b: Tensor) -> Tensor:
        return (a @ a.T @ h @ b @ b.T @ h).trace() / (m - 1) ** 2

    return float(cov(x, y) / (cov(x, x) * cov(y, y)).sqrt())


@settings(max_examples=50)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 9), st.floats(-10, 10))
def test_it_is_the_definition(n: int, d: int, other: int, seed: int, shift: float) -> None:
    d, other = min(d, n), min(other, n)
    x, y = made(n, d, seed) + shift, made(n, other, seed + 100)
    y[:, 0] += x[:, 0]
    found = cka(x, y)
    assert found == pytest.approx(by_definition(x, y), abs=1e-9)
    assert 0 <= found <= 1
    assert cka(y, x) == pytest.approx(found, abs=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 50), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_rotation_scale_and_shift_do_not_count(seed: int, scale: float, shift: float) -> None:
    x, y = made(30, 4, seed), made(30, 4, seed + 100)
    turn, _ = torch.linalg.qr(made(4, 4, seed + 200))
    moved = scale * (x @ turn) + shift
    assert cka(moved, y) == pytest.approx(cka(x, y), abs=1e-9)
    assert cka(moved, x) == pytest.approx(1, abs=1e-9)
    order = torch.randperm(30, generator=generator(seed))
    assert cka(x[order], y[order]) == pytest.approx(cka(x, y), abs=1e-12)


def test_another_linear_map_does_count() -> None:
    x = made(50, 3, 0)
    assert cka(x, x * torch.tensor([1.0, 10.0, 100.0])) < 0.9
    assert cka(x, made(50, 3, 1)) < 0.3


def test_all_pairs_are_the_pairs() -> None:
    nets = [
        made(40, d, seed).to(dtype)
        for seed, (d, dtype) in enumerate(
            [(3, torch.float32), (5, torch.float64), (1, torch.float32), (5, torch.float32)]
        )
    ]
    found = cka_matrix(nets)
    assert found.dtype == torch.float64
    assert torch.equal(found, found.T)
    for i, x in enumerate(nets):
        for j, y in enumerate(nets):
            assert float(found[i, j]) == pytest.approx(by_definition(x, y), abs=1e-12)
            assert float(found[i, j]) == pytest.approx(cka(x, y), abs=1e-14)
    assert cka_matrix(nets[:1]).tolist() == [[pytest.approx(1)]]


@pytest.mark.parametrize("count", [19, 20, 39, 50])
def test_many_networks_are_multiplied_in_blocks(count: int) -> None:
    nets = [made(30, 5, seed) + made(30, 5, 99) for seed in range(count)]
    found = cka_matrix(nets)
    assert torch.equal(found, found.T)
    for i, j in ((0, 1), (3, count - 1), (count - 1, count - 2), (count // 2, 0)):
        assert float(found[i, j]) == pytest.approx(by_definition(nets[i], nets[j]), abs=1e-12)
    assert found.diagonal().tolist() == pytest.approx([1.0] * count)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_scales_do_not_overflow(scale: float) -> None:
    x, y = made(20, 3, 0), made(20, 3, 1)
    assert cka((x * scale).float(), y) == pytest.approx(cka(x, y), abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.ones(9, 3), "network 1 has the same output for every example: CKA is undefined"),
        (torch.full((9, 3), 0.1) + 1e-9 * torch.rand(9, 3, generator=generator()), "the same output for every example"),
        (torch.zeros(9, 3), "the same output for every example"),
        (torch.ones(9, 3, dtype=torch.int64), "the same output for every example"),
        (torch.full((9, 3), torch.nan), "network 1 has outputs that are not finite"),
        (torch.rand(8, 3, generator=generator()), "network 1 has outputs for 8 examples, network 0 for 9"),
        (
            torch.rand(9, 10, generator=generator()),
            "network 1 has 10 outputs for only 9 examples: use at least as many",
        ),
    ],
)
def test_what_is_undefined_is_refused(wrong: Tensor, message: str) -> None:
    x = made(9, 3, 0)
    with pytest.raises(MeasureError, match=f"^cka: .*{message}"):
        cka(x, wrong)
    with pytest.raises(MeasureError, match=f"^cka_matrix: .*{message}"):
        cka_matrix([x, wrong, x])


def test_nothing_has_no_similarity() -> None:
    with pytest.raises(MeasureError, match="cka_matrix: no outputs"):
        cka_matrix([])


def test_a_single_constant_output_among_others_is_no_matter() -> None:
    x = made(20, 3, 0)
    x[:, 1] = 7.0
    assert cka(x, x[:, [0, 2]]) == pytest.approx(1)


def test_whole_numbers_and_more_dimensions() -> None:
    x = torch.randint(0, 5, (20, 4), generator=generator())
    assert cka(x, x.double().view(20, 2, 2)) == pytest.approx(1)
    assert cka(x[:, 0], x[:, :1]) == pytest.approx(1)


def examples(n: int = 23) -> Fixed:
    return Fixed(torch.rand(n, 1, 6, 6, generator=generator(4)), torch.arange(n) % CLASSES)


@pytest.mark.parametrize("batch_size", [1, 7, 512])
@pytest.mark.parametrize("samples", [None, 6400, 10])
@pytest.mark.parametrize("softmax", [False, True])
def test_outputs_are_those_of_evaluation_mode(batch_size: int, samples: int | None, softmax: bool) -> None:
    model, data = net(), examples()
    with unchanged(model):
        found = outputs(model, TASK, data, samples=samples, softmax=softmax, batch_size=batch_size)
    expected = net().eval()(data.inputs).detach()[: samples or 23]
    torch.testing.assert_close(found, expected.softmax(1) if softmax else expected)
    assert not found.requires_grad
    assert data.taken <= min(samples or 23, 23) + batch_size


def test_networks_are_compared_by_their_outputs() -> None:
    """Networks that differ in their weights only, not in what they say, are the same to it."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    moved = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    with torch.no_grad():
        moved[1].weight.copy_(model[1].weight.flip(0))
        moved[1].bias.copy_(model[1].bias.flip(0))
        moved[3].weight.copy_(model[3].weight.flip(1))
        moved[3].bias.copy_(model[3].bias)
    x, y = (outputs(each, TASK, examples()) for each in (model, moved))
    assert cka(x, y) == pytest.approx(1, abs=1e-6)
    assert cka(x, outputs(net(), TASK, examples())) < 0.999


def test_outputs_of_nothing() -> None:
    with pytest.raises(DataError, match="outputs: no examples"):
        outputs(net(), TASK, examples(0))
