"""What an advice finds and says."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

import advised as made
from secateurs.core import DataError
from secateurs.report.advice import words
from secateurs.report.advice.certainty import certainty, cost
from secateurs.report.advice.findings import draws_of, find_advice, interval
from secateurs.report.advice.page import render_advice, to_json, write_advice
from secateurs.report.advice.remedies import remedies
from secateurs.report.advice.rows import AdviceStudy
from secateurs.report.advice.terminal import show_advice


def told(study: AdviceStudy) -> str:
    """All that is said of an advice."""
    found = find_advice(study)
    sentences = [words.headline(found), *words.choice(found), *words.reasons(found), *remedies(found)]
    return "\n".join([*sentences, *certainty(found), *cost(study)]).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("lmc", "cka", "regime", "says"),
    [
        (-0.2, 0.5, "I", "raise the temperature"),
        (-0.01, 0.5, "II-A", "lower the temperature: train longer"),
        (-0.01, 0.95, "II-B", "leave it"),
    ],
)
def test_each_regime_has_its_advice(lmc: float, cka: float, regime: str, says: str) -> None:
    found = find_advice(made.advice(made.candidate("epoch 30", made.cell(lmc, cka))))
    assert found.chosen.regime == regime
    assert found.chosen.share == 1.0
    assert says in words.headline(found)


def test_a_poorly_connected_network_gets_all_three_ways_to_a_higher_temperature() -> None:
    said = told(made.advice(made.candidate("epoch 30", made.cell(-0.2, 0.5))))
    assert "--at 15" in said
    assert "train.batch_size=32" in said
    assert "train.sam.rho=0.1" in said
    assert "the error rises by 20.0 points" in said
    hotter = told(made.advice(made.candidate("epoch 30", made.cell(-0.2, 0.5), rho=0.2)))
    assert "train.sam.rho=0.4" in hotter


def test_what_was_looked_at_is_not_told_again() -> None:
    poor = [made.candidate(f"epoch {e}", made.cell(-0.2, 0.1 + e / 100), stopped=e) for e in (30, 15, 7)]
    assert "--at 3." in told(made.advice(*poor))


def test_a_network_that_was_stopped_early_may_be_pruned_later() -> None:
    assert "later epoch than 10" in told(made.advice(made.candidate("epoch 10", made.cell(0.0, 0.5), stopped=10)))
    assert "train.epochs=60" in told(made.advice(made.candidate("epoch 30", made.cell(0.0, 0.5))))
    files = told(made.advice(made.candidate("a.safetensors", made.cell(0.0, 0.5), stopped=None), source="files"))
    assert "a checkpoint from later" in files
    assert "--at" not in files


def test_the_first_choice_is_left_only_where_it_is_poorly_connected() -> None:
    good, better = made.cell(-0.01, 0.7, dense=0.04), made.cell(-0.01, 0.99, dense=0.05)
    found = find_advice(made.advice(made.candidate("a", good), made.candidate("b", better)))
    assert found.chosen.name == "a"
    poor = made.cell(-0.2, 0.7, dense=0.04)
    found = find_advice(made.advice(made.candidate("a", poor), made.candidate("b", better)))
    assert (found.first.name, found.chosen.name) == ("a", "b")
    assert words.choice(found)[0].startswith("Prune b. Of 2 networks a has the least validation error, but is poorly")


def test_draws_near_a_line_are_not_sure_and_say_so() -> None:
    found = find_advice(made.advice(made.candidate("a", made.cell(-0.055, 0.5, spread=0.02))))
    share = found.chosen.share
    assert share is not None
    assert 0.4 < share < 0.9
    assert "close to a line" in " ".join(certainty(found))


def test_draws_over_seeds_are_wider_than_those_of_one() -> None:
    one, other = made.cell(-0.2, 0.5, seed=0), made.cell(-0.1, 0.5, seed=1)
    drawn = draws_of([one, other])
    low, high = interval([lmc for lmc, _ in drawn]) or (0, 0)
    assert low < -0.18
    assert high > -0.12
    assert drawn == draws_of([one, other])
    study = made.advice(made.candidate("a", one, other))
    assert find_advice(study).chosen.lmc == pytest.approx(-0.15)
    assert "of the 2 seeds and of the training examples" in told(study)
    assert "so few seeds" in told(study)


def test_cka_that_is_undefined_is_told_in_words() -> None:
    study = made.advice(made.candidate("a", made.cell(-0.01, None)))
    found = find_advice(study)
    assert (found.chosen.regime, found.chosen.lmc) == (None, -0.01)
    assert "how similar cannot be told" in words.headline(found)
    assert "CKA is undefined: network 0 has the same output for every example." in told(study)
    assert "nan" not in (render_advice(found) + json.dumps(to_json(found), allow_nan=False)).lower().split()
    poor = find_advice(made.advice(made.candidate("a", made.cell(-0.2, None))))
    assert poor.chosen.regime == "I"


def test_copies_that_diverged_are_a_result() -> None:
    lost = {"lmc": None, "cka": None, "cka_undefined": None, "diverged": None, "diverged_copies": [7]}
    cell = replace(made.cell(0, 0.5), runs=({"diverged": "1ep"}, {"diverged": None}), probes=(lost,))
    study = made.advice(made.candidate("a", cell))
    assert find_advice(study).chosen.regime is None
    assert "too few copies came through" in told(study)
    assert "1 copy diverged in the first 2 epochs" in told(study)
    gone = {"diverged": "3ep"}
    cell = replace(cell, dense=gone, mask=gone, runs=(gone, gone), probes=(gone,))
    assert "the dense network diverged" in told(made.advice(made.candidate("a", cell)))
    render_advice(find_advice(study))


def test_copies_that_only_guess_have_no_regime() -> None:
    found = find_advice(made.advice(made.candidate("a", made.cell(0.0, 0.99, copies=0.89))))
    assert found.chosen.regime is None
    assert "only guess" in words.headline(found)
    assert not remedies(found)
    sure = " ".join(certainty(found))
    assert "Regime" not in sure
    assert "of copies that only guess that says nothing" in sure
    assert to_json(found)["networks"][0]["shares"] == {}
    assert "Temperature is what makes" not in render_advice(found)


def test_copies_that_hardly_learned_are_not_judged_yet() -> None:
    found = find_advice(made.advice(made.candidate("a", made.cell(0.0, 0.99, copies=0.7))))
    assert words.headline(found).startswith("Too early to tell")
    assert "--epochs 8" in words.headline(found)
    assert not remedies(found)


@pytest.mark.parametrize(("copies", "hardly"), [(0.5, True), (0.45, False)])
def test_knowing_nothing_is_an_error_of_chance(copies: float, hardly: bool) -> None:
    """Of ten classes: the middle between an error of 0.9 and the dense network's 0.05 is 0.475."""
    found = find_advice(made.advice(made.candidate("a", made.cell(0.0, 0.99, copies=copies))))
    assert found.chosen.hardly_trained is hardly


def test_what_guesses_is_not_said_to_be_pruned() -> None:
    cells = [made.candidate(name, made.cell(0.0, cka, copies=0.89)) for name, cka in (("a", 0.9), ("b", 0.99))]
    said = words.choice(find_advice(made.advice(*cells)))
    assert said[0].startswith("It would be a to prune.")
    assert said[0] in to_json(find_advice(made.advice(*cells)))["advice"]


def test_an_empty_layer_is_named() -> None:
    cell = replace(made.cell(-0.2, 0.5), mask={"empty_layers": ["conv.weight"]})
    assert "No weight is left in conv.weight" in told(made.advice(made.candidate("a", cell)))


def test_no_two_candidates_have_one_name() -> None:
    with pytest.raises(DataError, match="each network"):
        made.advice(made.candidate("a"), made.candidate("a"))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_files_need_nothing_but_themselves(tmp_path: Path) -> None:
    study = made.advice(made.candidate("<b>&", made.cell(-0.2, 0.5)), made.candidate("$x_$", made.cell(-0.01, 0.95)))
    written = write_advice(study, tmp_path)
    text = written.page.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.links
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "<b>&" not in text
    assert render_advice(find_advice(study)) == text
    assert all(path.stat().st_size for path in (*written.figures, *written.tables))
    numbers = json.loads((tmp_path / "advice.json").read_text(encoding="utf-8"))
    assert [each["regime"] for each in numbers["networks"]] == ["I", "II-B"]
    assert len(numbers["networks"][0]["cells"][0]["pairs"][0]["resampled"]["lmc"]) == 200


def test_a_terminal_of_eighty_columns_shows_the_table_whole() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    show_advice(made.advice(made.candidate("epoch 30", made.cell(-0.2, 0.5))), console)
    shown = console.export_text()
    assert "I: poorly connected 100 %" in " ".join(shown.split())
    assert "…" not in shown


def test_long_names_are_broken_and_numbers_are_not() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    name = "resnet-epoch-0030-of-a-long-training.safetensors"
    show_advice(made.advice(made.candidate(name, made.cell(-0.2, 0.5))), console)
    shown = console.export_text()
    assert "…" not in shown
    assert "100 %" in " ".join(shown.split())
