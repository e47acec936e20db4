"""Ablations of a mask (P2 section 5.7): the places shuffled, the weights drawn anew."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from secateurs.core import PruningError, Spec, TrainState, derive_seed, did_you_mean, generator_for, prunable
from secateurs.how import Mask
from secateurs.train import TrainSettings, begin
from secateurs.zoo import Dataset


def shuffled(mask: Mask, pruning_seed: int = 0) -> Mask:
    """The mask with as many weights in every layer at random places: what ``ablation="shuffle"`` lays on a network.

    >>> import torch
    >>> mask = Mask({"weight": torch.tensor([[True, False], [True, False]])})
    >>> shuffled(mask).layer_densities() == mask.layer_densities()
    True
    """
    return mask.shuffled(generator_for("shuffle", pruning_seed))


def drawn_anew(
    state: TrainState,
    data: Dataset,
    training: TrainSettings,
    model: Spec | None,
    pruning_seed: int,
    *,
    asked_by: str = "prune.ablation",
) -> TrainState:
    """A dense state of the same network at step 0 with other initial weights; errors begin with ``asked_by``.

    Raises:
        PruningError: when ``model`` is missing or another network than the state's.
    """
    if model is None:
        raise PruningError(
            f"{asked_by}: 'reinitialise' draws weights anew: pass model=, the Spec that the network was built from"
        )
    device = next(state.model.parameters()).device
    fresh = begin(model, data, training, init_seed=derive_seed("reinitialise", pruning_seed), device=device)
    if _shapes(fresh.model.state_dict()) != _shapes(state.model.state_dict()):
        raise PruningError(
            f"{asked_by}: model {model.name!r} is not the network of the state, which has other parameters: "
            "pass the Spec that it was built from"
        )
    return fresh


def check_fit(mask: Mask, model: nn.Module) -> None:
    """See that a mask is of prunable weights that the model has.

    Raises:
        PruningError: naming the weight that it does not have so.
    """
    shapes, known = _shapes(mask), _shapes(prunable(model))
    for name, shape in shapes.items():
        if name not in known:
            raise PruningError(f"mask: the network has no prunable weights {name!r}{did_you_mean(name, known)}")
        if known[name] != shape:
            raise PruningError(
                f"mask: {name!r} has shape {shape} in the mask, but {known[name]} in the network: find the mask in it"
            )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
