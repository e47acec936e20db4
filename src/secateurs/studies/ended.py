"""What a run ended with, as others go on from it: its network, its mask, and the mask of the level after it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from secateurs.core import Keep, Moment, TrainState, under
from secateurs.how import Mask
from secateurs.how.channels import channel_groups, cut_in_place
from secateurs.jobs import Entry
from secateurs.procedures import MaskSettings
from secateurs.procedures.tickets import next_mask
from secateurs.zoo import Dataset


def end_of(run: Entry) -> dict[str, Tensor]:
    """The tensors of a run's end: its ``final`` ones, a dense run's last checkpoint, or the ``state`` at a moment.

    Raises:
        StoreError: when it left none, since it diverged or is not finished.
    """
    if "state" in run.summary:
        return run.tensors("state")
    checkpoints = run.summary.get("checkpoints")
    if checkpoints is None:
        return run.tensors("final")
    per_epoch = run.summary["steps_per_epoch"]
    return run.tensors(max(checkpoints, key=lambda name: Moment.parse(name, per_epoch)))


def placed(tensors: Mapping[str, Tensor], blank: TrainState, data: Dataset) -> TrainState:
    """The network that a run ended with, and its mask; consumes ``blank``, whose optimiser is of no use then."""
    channels, mask = under("channels", tensors), under("mask", tensors)
    if channels:
        cut_in_place(blank.model, Keep(channel_groups(blank.model, data.example), channels))
    blank.model.load_state_dict(under("model", tensors))
    return blank.take(mask=Mask.from_tensors(mask) if mask else None)


def mask_within(state: TrainState, data: Dataset, settings: MaskSettings, pruning_seed: int) -> Mask:
    """The next level's mask, found in a state that ended, within its mask."""
    within = None if state.mask is None else Mask(state.mask)
    return next_mask(state.model, data, settings, settings.density, within=within, pruning_seed=pruning_seed)
