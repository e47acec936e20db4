"""Several settings at a glance: the table, the sentences, the page."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from secateurs.core import DataError
from secateurs.report import DenseRun, Study, columns_of, find, render, show, tables
from secateurs.report.cells import choice_cell, correlation_cell, few_seeds, loss_cell, peak_cell, regret_cell
from secateurs.report.glance import summary
from secateurs.report.regret import seconds_share, training_seconds
from secateurs.report.words import SPACE


def test_the_table_by_hand(several: Study) -> None:
    found = find(several)
    first, second = tables(several, found)["overview"]
    assert (first["setting"], second["setting"]) == ("net", "wide <net>")
    assert first["best_epoch"] == 4
    assert first["loss_mean"] == pytest.approx(0.93 - 0.91)
    assert first["loss_sd"] == pytest.approx(0.01)
    assert (first["fits"], second["fits"]) == (True, False)
    assert (first["fisher_trace/peak_mean"], first["fisher_trace/peaks_inside"], first["fisher_trace/peaks"]) == (
        3,
        3,
        3,
    )
    assert (first["kl_uniform/peak_mean"], first["kl_uniform/peaks_inside"]) == (None, 0)
    assert first["fisher_trace/rank_test_mean"] == pytest.approx(0.5)  # 4 > 1 > 0.5 and .88 > .86 less .91 at 4
    assert first["seconds_share/fisher_trace"] == pytest.approx(11 * 0.5 / (10 * (1.5 - 0.5)))
    assert first["seconds_share/peak"] == first["seconds_share/fisher_trace"]
    assert first["seconds_share/kl_uniform"] is None
    assert first["peak/regret_mean"] == pytest.approx(-0.005 / 3)
    assert set(first) == set(columns_of(several)["overview"])


def test_share_of_time() -> None:
    """Signals against training alone: not against other signals, loading or the last evaluation."""
    untrained = {"epoch": 0, "seconds/s": 1.0, "seconds/t": 3.0}
    trained = [{"epoch": e, "seconds": 6.0, "seconds/s": 1.0, "seconds/t": 3.0} for e in (1, 2)]
    run = DenseRun(0, "net", 7, 2, [untrained, *trained], {"seconds": 80.0})
    assert training_seconds(run) == 4.0
    assert seconds_share([run], ["s"]) == 0.75
    assert seconds_share([run], ["s", "t"]) == 3.0  # three times as long as the training
    assert seconds_share([run], []) == 0.0
    assert seconds_share([run], ["s", "other"]) is None
    bare = dataclasses.replace(run, log=[untrained])
    assert training_seconds(bare) is None
    assert seconds_share([bare], ["s"]) is None
    assert seconds_share([bare, run], ["s"]) == 0.75


def test_the_note_says_what_a_share_of_time_is(several: Study) -> None:
    assert render(several).count("as a share of the seconds of the dense run&#39;s training") == 2


def test_needs_must_name_triggers(several: Study) -> None:
    with pytest.raises(DataError, match=r"needs: unknown trigger 'peek'; choices: peak; did you mean 'peak'"):
        dataclasses.replace(several, needs={"peek": ["fisher_trace"]})


def test_cells(several: Study) -> None:
    first, second = find(several)
    (trigger,) = first.triggers
    assert choice_cell(trigger) == "5.0 ± 1.0"
    assert regret_cell(trigger) == "−0.17 (−1.00 to +0.50)"  # noqa: RUF001
    assert loss_cell(first) == "+2.00 ± 1.00"
    assert peak_cell(first, "kl_uniform") == "not inside the run"
    assert correlation_cell(first, "fisher_trace", "test") == "+0.50 (+0.50 to +0.50)"
    assert few_seeds([first, second]) == "With fewer than 5 seeds (here 3) the interval says little."


def test_what_is_said_of_all(several: Study) -> None:
    said = summary(find(several))
    assert said[0] == (
        "The best moment to prune is epoch 4 of 10 in all of them. "
        "Pruned there, networks lose 1.00 to 2.00 points of test accuracy against the dense ones."
    )
    assert said[1].startswith(
        "tr(F) peaks inside the run on every seed in all 2 rows, 1.0 epochs from the best moment."
    )
    assert said[2].startswith("KL-uniform peaks inside the run on every seed in none of 2 rows.")
    assert said[3].startswith("The dense networks do not fit their training data in wide <net>;")


def test_nothing_known_yet(several: Study) -> None:
    runs = [dataclasses.replace(run, summary={}) for run in several.pruned]
    bare = dataclasses.replace(several, pruned=runs)
    said = summary(find(bare))
    assert said[0] == "No best moment is known in any row yet."
    assert said[-1].endswith("have no result: they are named below.")


def test_the_page_has_an_overview_only_for_several(several: Study, make_study) -> None:
    html = render(several)
    assert html.index("Overview</h2>") < html.index('id="setting-1"')
    assert "wide &lt;net&gt;" in html
    assert "<net>" not in html
    assert "Regenerates: P0, figure 4" in html
    alone = render(make_study())
    assert "Overview" not in alone
    assert "Regenerates" not in alone


def test_the_terminal_shows_the_overview_first(several: Study, capsys) -> None:
    show(find(several), Console(width=120))
    text = " ".join(capsys.readouterr().out.replace(SPACE, " ").split())
    assert text.startswith("Overview setting dense best epoch")
    assert "wide <net> peak 5.0 ± 1.0 −0.17 (−1.00 to +0.50)" in text  # noqa: RUF001
    assert "best: 4" in text
