"""A small network whose channels are pruned, and how it is trained: for the tests of channels in procedures."""

from __future__ import annotations

from secateurs.core import Keep, TrainState
from secateurs.procedures import PruneChannelSettings
from secateurs.train import TrainSettings, begin, train
from secateurs.zoo import build_model
from toys import RESNET, toy_data

DATA = toy_data()
TRAINING = TrainSettings(epochs=4, batch_size=16, lr=0.05, schedule="cosine")  # three steps an epoch
HALF = PruneChannelSettings(density=0.5, examples_per_class=3)
NET = build_model(RESNET, DATA.input_shape, 3, seed=1)


def at(moment: str, chosen: TrainSettings = TRAINING) -> TrainState:
    return train(begin(RESNET, DATA, chosen, init_seed=1), DATA, chosen, until=moment)


def left_by(state: TrainState) -> Keep:
    assert state.channels is not None
    return state.channels
