"""Linear CKA of outputs in feature space against the n x n forms: at least 1,000 times faster, and equal.

Outputs of two networks, 6,400 examples x 10, float32 in, float64 inside. The definition is the textbook's
tr(K H L H) with the centring matrix H; the other n x n form centres both Gram matrices by their means and
multiplies them entry by entry. They agree to 1e-6 also on softmax outputs, P4's, of networks that are sure of most
examples, where whole columns hardly vary. All pairs of 50 networks: ``cka_matrix``, one product of all outputs, against
``cka`` pair by pair; the goal is at most 50 ms. Seconds are this process's own (others may work on the
machine), so that with several threads they are the sum over these.

    python benchmarks/cka.py [--samples 6400] [--outputs 10] [--networks 50] [--turns 5] [--threads 1] [--textbook]

``--textbook`` times the definition as well, once: its two products of n x n matrices take seconds, and 2 GB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import combinations

import torch
from timing import by_turns, table
from torch import Tensor

from secateurs.core import generator_for
from secateurs.measure import cka, cka_matrix

OURS, ALL = "cka", "cka_matrix"
REPEATS = 100
SURE = 20
"""What outputs are multiplied by: the most likely class then has 0.99 and more of most examples."""


def textbook(x: Tensor, y: Tensor) -> float:
    """P4 eq. 2 as it is written."""
    n = len(x)
    h = torch.eye(n, dtype=torch.float64) - 1 / n
    k, l = ((each.double() @ each.double().T) @ h for each in (x, y))  # noqa: E741 - the letters of the definition
    return float((k * l.T).sum() / ((k * k.T).sum() * (l * l.T).sum()).sqrt())


def centred_grams(x: Tensor, y: Tensor) -> float:
    """The same with H K H computed from means of rows and columns."""

    def gram(each: Tensor) -> Tensor:
        k = each.double() @ each.double().T
        means = k.mean(0)
        return k.sub_(means).sub_(means[:, None]).add_(means.mean())

    k, l = gram(x), gram(y)  # noqa: E741
    return float((k * l).sum() / (k.norm() * l.norm()))


def pairwise(nets: list[Tensor]) -> Tensor:
    found = torch.eye(len(nets), dtype=torch.float64)
    for i, j in combinations(range(len(nets)), 2):
        found[i, j] = found[j, i] = cka(nets[i], nets[j])
    return found


def made(count: int, samples: int, width: int) -> list[Tensor]:
    """Outputs of networks that agree in part."""
    source = generator_for("cka benchmark")
    shared = torch.randn(samples, width, generator=source)
    return [shared + torch.randn(samples, width, generator=source) for _ in range(count)]


def main() -> None:
    """Time by turns, and compare what comes out."""
    arguments = argparse.ArgumentParser(description=__doc__)
    for name, value in (("samples", 6400), ("outputs", 10), ("networks", 50), ("turns", 5), ("threads", 1)):
        arguments.add_argument(f"--{name}", type=int, default=value)
    arguments.add_argument("--textbook", action="store_true")
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    nets = made(chosen.networks, chosen.samples, chosen.outputs)
    x, y = nets[:2]
    print(f"{chosen.samples} x {chosen.outputs}, {chosen.threads} thread(s), torch {torch.__version__}\n")

    forms: dict[str, Callable[[], object]] = {
        OURS: lambda: cka(x, y),
        f"{OURS}, {REPEATS} times in a row": lambda: [cka(x, y) for _ in range(REPEATS)],
        "n x n, centred": lambda: centred_grams(x, y),
    }
    times = by_turns(forms, chosen.turns, warm_up=1, clock=time.process_time)
    print(table(times, OURS))
    once, many, slow = (each.median for each in times.values())
    print(f"\nn x n / feature space: {slow / (many / REPEATS):.0f} (goal: at least 1000)")
    print(f"a single call, with all caches full of an n x n matrix: {slow / once:.0f}")
    sure = [(SURE * each).softmax(1) for each in (x, y)]
    for what, (a, b) in {"outputs": (x, y), "softmax outputs, sure": sure}.items():
        ours, theirs = cka(a, b), centred_grams(a, b)
        print(f"difference, {what}: {abs(ours - theirs):.1e} of {ours:.4f} (goal: at most 1e-6)")
    if chosen.textbook:
        begun = time.process_time()
        value = textbook(x, y)
        seconds = time.process_time() - begun
        print(f"textbook / feature space: {seconds * REPEATS / many:.0f}, difference {abs(cka(x, y) - value):.1e}")

    print(f"\nall pairs of {chosen.networks} networks\n")
    times = by_turns(
        {ALL: lambda: cka_matrix(nets), "cka, pair by pair": lambda: pairwise(nets)}, chosen.turns, 1, time.process_time
    )
    print(table(times, ALL))
    print(f"\npair by pair / one product: {times['cka, pair by pair'].median / times[ALL].median:.0f}")
    print(f"all pairs: {times[ALL].median * 1e3:.0f} ms (goal: at most 50)")
    print(f"greatest difference: {float((cka_matrix(nets) - pairwise(nets)).abs().max()):.1e}")


if __name__ == "__main__":
    main()
