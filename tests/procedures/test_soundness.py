"""Whether a network's numbers are numbers, and what a state is that has others."""

from __future__ import annotations

import pytest
import torch

from secateurs.core import Moment
from secateurs.procedures import judged, sound
from secateurs.train import TrainSettings, begin
from toys import RESNET, toy_data, unchanged


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_one_number_anywhere_is_enough(bad: float) -> None:
    state = begin(RESNET, toy_data(), TrainSettings(epochs=1, batch_size=16), init_seed=0)
    assert judged(state) is state
    assert not state.consumed
    for name, value in state.model.state_dict().items():
        if not value.is_floating_point():
            continue
        fork = state.fork()
        fork.model.state_dict()[name].view(-1)[-1] = bad
        with unchanged(fork.model):
            assert not sound(fork.model), name
            assert judged(fork).diverged == state.moment
        assert fork.consumed


def test_what_diverged_before_keeps_its_moment() -> None:
    state = begin(RESNET, toy_data(), TrainSettings(epochs=1, batch_size=16), init_seed=0)
    state.diverged = Moment(0, 3)
    state.moment = Moment(2, 3)
    with torch.no_grad():
        next(state.model.parameters()).fill_(torch.nan)
    assert judged(state) is state
    assert state.diverged == Moment(0, 3)
