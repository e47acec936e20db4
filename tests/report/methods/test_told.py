"""What the page of methods must not say, or say with its price: chance, bounds, levels, longer training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from secateurs.report.methods import MethodStudy, cheapest, find_methods, render_methods, summary, tables
from secateurs.report.methods.captions import remaining_caption
from secateurs.report.methods.training import over_training

Make = Callable[..., MethodStudy]


def with_runs(study: MethodStudy, method: str, **changes: object) -> MethodStudy:
    """The study, the runs of one method changed."""
    runs = [dataclasses.replace(run, **changes) if run.method == method else run for run in study.runs]  # type: ignore[arg-type]
    return dataclasses.replace(study, runs=runs)


def test_at_chance_level_nothing_is_ranked_or_shaded(make_methods: Make) -> None:
    sound, lost = (make_methods(chance={"net": guessing}) for guessing in (0.1, 0.93))
    assert "Rank of the methods" in render_methods(sound)
    assert "Shaded" in render_methods(sound)
    page = render_methods(lost)
    assert "hardly better than chance" in page
    for said in ("Rank of the methods", "Order of the methods", "Shaded", 'class="best"'):
        assert said not in page
    assert cheapest(find_methods(lost)[0]) == ()


def test_a_trigger_that_its_bound_made_fire_is_told(make_methods: Make) -> None:
    study = make_methods(pinned=["synflow"], triggered={"synflow": "when it is still"})
    study = with_runs(study, "synflow", moment="still", epoch=5.0, at_bound=True)
    (findings,) = find_methods(study)
    (cell,) = [cell for cell in findings.all_cells if (cell.method, cell.density) == ("synflow", 0.2)]
    assert cell.at == "epoch 5, by its bound"
    said = " ".join(summary(findings)).replace("\N{NO-BREAK SPACE}", " ")
    assert "By its bound alone, not by what it measured, fired the trigger of synflow: at 50 % on seeds 0, 1" in said
    assert {row["at_bound"] for row in tables(study, [findings])["runs"] if row["method"] == "synflow"} == {True}


def test_methods_of_levels_are_not_drawn_as_one_step(make_methods: Make) -> None:
    plain = make_methods()
    (findings,) = find_methods(with_runs(plain, "snip", levels=3))
    assert "snip" in [each.method for each in cheapest(findings)]
    (panel,) = over_training(findings)
    assert "snip:" not in panel.alt
    assert remaining_caption(findings).endswith("Not drawn: snip, trained anew at each of its levels.")
    assert "Not drawn" not in remaining_caption(find_methods(plain)[0])


@pytest.mark.parametrize(("epochs", "told"), [(30.0, " with 3 times the others' training"), (11.0, "")])
def test_who_trains_longer_is_said_to(make_methods: Make, epochs: float, told: str) -> None:
    study = make_methods()
    for name in study.methods:
        study = with_runs(study, name, costs={"epochs": epochs if name == "snip" else 10.0})
    said = " ".join(summary(find_methods(study)[0])).replace("\N{NO-BREAK SPACE}", " ")
    assert f"snip does best everywhere{told};" in said
