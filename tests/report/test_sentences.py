"""The sentences say what the numbers say."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.report import DenseRun, SignalPeak, find, summary
from secateurs.report.sentences import alt_text, regret_note, signal_sentence
from secateurs.report.words import SPACE


def said(study) -> str:
    (found,) = find(study)
    return "\n".join(summary(found)).replace(SPACE, " ")


def test_summary_of_a_plain_study(make_study) -> None:
    text = said(make_study())
    assert "best moment to prune is epoch 4 of 10, by validation accuracy over 3 seeds" in text
    assert "reach 91.0 ± 1.0 % on the test set, 2.00 points below the dense network's 93.0 ± 0.0 %" in text
    assert "epoch 8, they reach 86.0 ± 1.0 %: 5.00 points lower" in text
    assert "tr(F) peaks inside the run on every seed, at epoch 3.0 ± 0.0, 1.0 epochs before the best moment" in text
    assert "KL-uniform rose to the end of the run: it has no peak inside the run" in text
    assert "pruned at epoch 4, 5 and 6 (one per seed); regret −0.17 points (95 % interval −1.00 to +0.50)" in text  # noqa: RUF001
    assert "With fewer than 5 seeds the interval says little." in text
    assert "The dense networks fit their training data: training accuracy 100.0 ± 0.0 % at the end." in text


def test_single_seed_has_no_deviations_and_no_regret(make_study) -> None:
    text = said(make_study(seeds=1))
    assert "±" not in text
    assert "its regret cannot be given" in text
    (found,) = find(make_study(seeds=1))
    assert "needs at least two" in regret_note(found)


def test_five_seeds_carry_no_warning(make_study) -> None:
    assert "fewer than" not in said(make_study(seeds=5))


def test_networks_that_do_not_fit(make_study) -> None:
    study = make_study()
    dense = [dataclasses.replace(run, summary={**run.summary, "train_accuracy": 0.93}) for run in study.dense]
    assert "do not fit their training data: training accuracy 93.0 ± 0.0 %" in said(
        dataclasses.replace(study, dense=dense)
    )


@pytest.mark.parametrize(("epoch", "expected"), [(8, "last moment that was tried"), (0, "first moment that was tried")])
def test_a_best_moment_at_the_border_is_called_that(make_study, epoch: int, expected: str) -> None:
    study = make_study()
    runs = [
        dataclasses.replace(run, summary={**run.summary, "validation_accuracy": 0.99}) if run.epoch == epoch else run
        for run in study.pruned
    ]
    assert expected in said(dataclasses.replace(study, pruned=runs))


def peak(seed: int, place: str, drop: float = 0.5) -> SignalPeak:
    return SignalPeak("fisher_trace", seed, 5.0, 1.0, place, drop)  # type: ignore[arg-type]


def test_signals_without_a_peak_inside() -> None:
    assert "nothing to hold on to" in signal_sentence("fisher_trace", [peak(0, "end"), peak(1, "end")], None)
    assert "fell from the start" in signal_sentence("fisher_trace", [peak(0, "start")], None)
    mixed = signal_sentence("fisher_trace", [peak(0, "end"), peak(1, "start")], None)
    assert "no peak inside the run; on seed 0 it rose to the end; on seed 1 it fell from the start." in mixed
    some = signal_sentence("fisher_trace", [peak(0, "inside", 0.01), peak(1, "end")], None)
    assert "on 1 of 2 seeds, at epoch 5; on seed 1 it rose to the end. It barely falls" in some


def test_missing_signal_is_not_spoken_of_and_lost_runs_are(make_study) -> None:
    study = make_study()
    dense = [DenseRun(run.seed, "net", 7, 10, [], run.summary) for run in study.dense]
    text = said(dataclasses.replace(study, dense=dense))
    assert "tr(F) peaks" not in text
    assert "1 run without a result: pruned at epoch 5, seed 1." in said(make_study(triggered={1: (5.0, None)}))


def test_alt_text_tells_the_curve_and_the_signal(make_study) -> None:
    (found,) = find(make_study())
    text = alt_text(found, "kl_uniform").replace(SPACE, " ")
    assert "82.0 ± 2.0 % at epoch 0, 86.0 ± 1.0 % at epoch 8" in text
    assert "KL-uniform rose to the end" in text
