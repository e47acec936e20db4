"""The report of a run that pruned itself: every number is told, whatever came of it, on any width."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from secateurs.report.automatic import AutomaticResult, Layer, show_automatic, write_automatic
from secateurs.report.automatic.figure import draw_automatic
from secateurs.report.automatic.trace import plot

SUMMARY = {"train_accuracy": 0.99, "validation_accuracy": 0.9, "test_accuracy": 0.8125, "test_loss": 0.5}
CHANGE = [1.0, 0.5, 0.25, 0.125, 0.05]


def rows(epochs: int, pruned: int | None) -> list[dict[str, Any]]:
    """As the job logs them: the signal up to the decision, the loss to the end."""
    made: list[dict[str, Any]] = [{"epoch": 0, "moment": "0ep", "seconds": 0.1, "seconds/weight_change": 0.0}]
    for epoch in range(1, epochs + 1):
        made.append({"epoch": epoch, "moment": f"{epoch}ep", "loss": 1 / epoch, "seconds": 0.1})
        if pruned is None or epoch <= pruned:
            made[-1] |= {"weight_change": CHANGE[epoch - 1], "seconds/weight_change": 0.02}
    return made


def result(**changes: Any) -> AutomaticResult:
    made = AutomaticResult(
        title="A network on data",
        data="digits: 100 train, 20 validation, 20 test examples",
        seed=3,
        epochs=5,
        density=0.1,
        trigger="default",
        rule="Below(signal='weight_change', threshold=0.3, patience=1, warm_up=0), or At(moment='4ep')",
        why="weight_change is 0.25, below 0.3",
        at_bound=False,
        needs=("weight_change",),
        rows=rows(5, 3),
        summary={**SUMMARY, "pruned": "3ep", "diverged": None},
        seconds=2.0,
        layers=(Layer("conv.weight", 1000, 90), Layer("a.layer.with.a.rather.long.name.weight", 1000, 110)),
        saved={
            "bytes_dense": 8400,
            "bytes_csr": 1700,
            "density_of_all_parameters": 0.14,
            "multiply_adds_dense": 2_500_000,
            "multiply_adds_kept": 250_000,
        },
    )
    return replace(made, **changes)


def dense(**summary: Any) -> AutomaticResult:
    outcome = {**SUMMARY, "pruned": None, "diverged": None, **summary}
    return result(summary=outcome, rows=rows(5, None), layers=(), saved=None, why="has not fired by epoch 5: no peak")


def shown(made: AutomaticResult, width: int = 80) -> str:
    text = io.StringIO()
    show_automatic(made, Console(file=text, width=width, force_terminal=False))
    return text.getvalue()


def words(made: AutomaticResult) -> str:
    return " ".join(shown(made).replace("\N{NO-BREAK SPACE}", " ").split())


def test_what_was_done_why_and_what_it_came_to() -> None:
    told = words(result())
    for each in (
        "A network on data, seed 3",
        "Pruned at epoch 3 of 5 by trigger 'default': weight_change is 0.25, below 0.3.",
        "▲ pruned, epoch 3",
        "conv.weight 1,000 90 9.0 %",
        "all 2,000 200 10.0 %",
        "test 81.25 % 0.5",
        "200 of 2,000 prunable weights are left: 10.0 %, and 14.0 % of all parameters.",
        "8.4 kB dense, 1.7 kB in compressed sparse rows",
        "2.5 million dense, 250,000 (10.0 %) if zeros are skipped",
        "Masks alone save no training time",
        "Watching weight change took 0.06 s, 3.0 % of the run's 2.00 s.",
    ):
        assert each in told, each
    assert "bound" not in told
    assert "diverged" not in told


def test_a_bound_that_fired_is_called_one() -> None:
    assert "It was the bound that decided, not the signal" in words(result(at_bound=True))


def test_a_trigger_that_never_fired() -> None:
    told = words(dense())
    assert "Not pruned: trigger 'default' never fired. It has not fired by epoch 5: no peak." in told
    assert "The network is dense. With no_later_than=50% among its options a trigger fires in any case." in told
    assert "Masks" not in told


def test_a_run_that_diverged_before_and_after() -> None:
    told = words(dense(diverged="2ep", test_loss=None))
    assert "Not pruned: the run diverged by 2ep (its loss was no longer finite) before trigger 'default' fired." in told
    assert "No network is kept of a run that diverged: lower train.lr" in told
    assert "never fired" not in told
    told = words(result(summary={**SUMMARY, "pruned": "3ep", "diverged": "4ep"}))
    assert "Pruned at epoch 3" in told
    assert "Then the run diverged by 4ep" in told


def test_layer_collapse_is_called_what_it_is() -> None:
    told = words(result(layers=(Layer("a", 10, 0), Layer("b", 10, 2))))
    assert "No weight is left in a (layer collapse): nothing gets through." in told


def test_a_trigger_of_time_shows_the_loss_and_costs_nothing() -> None:
    told = words(result(needs=(), why="the moment 3ep was reached"))
    assert "loss at the end of each epoch" in told
    assert "Watching cost nothing: the trigger needs no signal. The run took 2.00 s." in told


def test_a_network_pruned_before_it_was_trained() -> None:
    told = words(result(summary={**SUMMARY, "pruned": "0ep", "diverged": None}, needs=()))
    assert "Pruned at epoch 0 of 5" in told
    assert "▲" not in told


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_terminal(width: int) -> None:
    for made in (result(), result(at_bound=True), dense(), result(epochs=200)):
        assert max(len(line.rstrip()) for line in shown(made, width).splitlines()) <= width


def test_a_trace_ends_where_the_network_was_pruned() -> None:
    assert result().trace("weight_change") == ([1, 2, 3], CHANGE[:3])
    assert result().trace("loss") == ([1, 2, 3], [1, 1 / 2, 1 / 3])
    untrained = [{"epoch": 0, "moment": "0ep", "loss": 9.0}]
    assert result(rows=untrained, summary={"pruned": "0ep", "diverged": None}).trace("loss") == ([0], [9.0])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=100),
    st.integers(0, 300),
    st.integers(20, 120),
    st.sampled_from(["", "pruned, epoch 12"]),
)
def test_a_plot_shows_every_run_within_its_width(values: list[float], more: int, width: int, label: str) -> None:
    until = len(values) + more
    lines = plot(range(1, len(values) + 1), values, until=until, mark=len(values), width=width, label=label)
    assert 7 <= len(lines) <= 8
    assert max(map(len, lines)) <= width
    assert sum(line.count("▲") for line in lines) == 1


def test_the_files(tmp_path: Path) -> None:
    figure, numbers = write_automatic(result(), tmp_path / "signal.png", tmp_path / "result.json")
    assert figure.read_bytes().startswith(b"\x89PNG")
    told = json.loads(numbers.read_text(encoding="utf-8"))
    assert (told["pruned"], told["diverged"], told["why"]) == ("3ep", None, "weight_change is 0.25, below 0.3")
    assert told["watching"] == {"seconds": {"weight_change": pytest.approx(0.06)}, "share": pytest.approx(0.03)}
    assert told["layers"][0] == {"name": "conv.weight", "weights": 1000, "kept": 90}
    assert told["summary"]["test_accuracy"] == 0.8125
    assert len(told["rows"]) == 6


def test_the_figure_marks_the_moment() -> None:
    figure = draw_automatic(result(needs=("weight_change", "loss")))
    assert len(figure.axes) == 2
    for axes in figure.axes:
        curve, mark = axes.lines
        assert list(curve.get_xdata()) == [1, 2, 3]
        assert set(mark.get_xdata()) == {3}
    assert [len(axes.lines) for axes in draw_automatic(dense()).axes] == [1]
