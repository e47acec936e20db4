"""The triggers that are taken where none is named."""

from __future__ import annotations

from math import floor

import pytest

from secateurs.core import Moment, SignalError
from secateurs.when import default_trigger, fine_tuning_trigger, replay


@pytest.mark.parametrize("epochs", [14, 20, 30, 200])
def test_the_default_fires_within_its_bounds_whatever_the_signal_says(epochs: int) -> None:
    trigger = default_trigger(epochs=epochs)
    earliest, latest = max(1, round(0.2 * epochs + 1e-9)), max(1, round(0.4 * epochs + 1e-9))
    for value, expected in ((1.0, latest), (0.0, earliest)):
        log = [(Moment(epoch, 1), {"mask_distance": value}) for epoch in range(1, epochs + 1)]
        fired = replay(trigger, log)
        assert fired is not None
        assert fired.epoch == expected < epochs


@pytest.mark.parametrize("epochs", range(2, 16))
def test_no_signal_is_paid_for_where_it_could_decide_nothing(epochs: int) -> None:
    """It has no value before epoch 5."""
    trigger = default_trigger(epochs=epochs)
    latest = max(1, floor(0.4 * epochs + 0.5))
    still = [(Moment(epoch, 1), {"mask_distance": 0.0} if epoch >= 5 else {}) for epoch in range(1, epochs + 1)]
    moving = [(moment, dict.fromkeys(values, 1.0)) for moment, values in still]
    assert replay(trigger, moving) == Moment(latest, 1)
    assert trigger.needs == (frozenset() if epochs <= 13 else {"mask_distance"})
    assert (replay(trigger, still) == Moment(latest, 1)) == (epochs <= 13)


def test_the_default_waits_for_masks_to_rest() -> None:
    values = [0.09, 0.06, 0.05, 0.04, 0.039, 0.01]
    log = [(Moment(epoch, 1), {"mask_distance": value}) for epoch, value in enumerate(values, start=5)]
    assert replay(default_trigger(epochs=30), log) == Moment(9, 1)


def test_the_default_has_no_place_in_a_run_of_one_epoch() -> None:
    with pytest.raises(SignalError, match="epochs must be at least 2, got 1"):
        default_trigger(epochs=1)


def test_pretrained_weights_are_pruned_after_an_epoch() -> None:
    log = [(Moment(epoch, 5), {}) for epoch in (2, 5, 10)]
    assert replay(fine_tuning_trigger(), log) == Moment(5, 5)
    assert replay(fine_tuning_trigger("2ep"), log) == Moment(10, 5)
    with pytest.raises(SignalError, match="is not understood"):
        fine_tuning_trigger("soon")
