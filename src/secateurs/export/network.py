"""A network as a file of tensors and a small description, from which it is built again without pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from secateurs.core import ExportError, Keep, SecateursError, Spec
from secateurs.export.architecture import Architecture, Zoo, cut_of, fault, keep_of, shapes_after
from secateurs.export.files import draft
from secateurs.export.states import checked_mask, digest, owned, state_of, ties
from secateurs.how import Mask, remove_channels
from secateurs.pruner.wrappers import bare
from secateurs.zoo import build_model

_KEY = "secateurs"
Build = Callable[[], nn.Module]


def save_network(
    model: nn.Module,
    path: str | Path,
    *,
    spec: Spec | None = None,
    input_shape: Sequence[int] | None = None,
    num_classes: int | None = None,
    keep: Keep | Sequence[Keep] = (),
    mask: Mask | None = None,
) -> int:
    """Write a network, masked or cut, as one safetensors file, which :func:`load_network` builds it from.

    The file holds the ``state_dict`` under its plain names, as ``safetensors.torch.load_file(path)`` reads it; a mask,
    bit-packed under names that begin with ``mask/``, which ``Mask.load(path)`` reads; and in its metadata JSON: which
    network of the zoo it was, which units of which groups were kept, which parameters are one (they are stored once),
    and a SHA-256 of everything. Memory layouts (channels-last) are not kept, nor are gradients, hooks and modes.

    Args:
        model: the network as it is now, on any device; DistributedDataParallel and torch.compile are looked through.
        path: the file; what is there is replaced when the new one is whole.
        spec: the network of the zoo that it was made as, with ``input_shape`` (without the batch) and ``num_classes``.
            None: a network of your own; to read the file you will need what builds it dense.
        keep: what was removed from the dense network: one choice of channels, or several in the order of the cuts.
        mask: which weights are kept; the others must be 0 in the model.

    Returns:
        Bytes of the file.

    Raises:
        ExportError: when ``spec`` and ``keep`` do not make this model, weights outside the mask are not 0, something in
            the state is no dense tensor, or the file cannot be written.

    >>> import tempfile
    >>> from secateurs.zoo import build_model
    >>> spec = Spec("digits_resnet", {"width": 2})
    >>> net = build_model(spec, (1, 8, 8), 10, seed=0)
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> size = save_network(net, path, spec=spec, input_shape=(1, 8, 8), num_classes=10)
    >>> torch.equal(load_network(path).fc.weight, net.fc.weight)
    True
    """
    path = Path(path)
    keeps = (keep,) if isinstance(keep, Keep) else tuple(keep)
    state, tied = state_of(bare(model))
    zoo = None
    if spec is not None:
        if input_shape is None or num_classes is None:
            raise ExportError("a network of the zoo is built from spec, input_shape and num_classes: give all three")
        zoo = _zoo(spec, input_shape, num_classes)
    cuts = [cut_of(each) for each in keeps]
    said = Architecture(zoo=zoo, cuts=cuts, tied=tied, masked=mask is not None)
    if zoo is not None:
        wrong = fault(state, _state(_rebuilt(said, None)))
    else:
        after = shapes_after(keeps)
        wrong = fault({n: t for n, t in state.items() if n in after}, {n: torch.empty(s) for n, s in after.items()})
    if wrong:
        raise ExportError(f"{path}: spec and keep make another network than the model is: {wrong}")
    tensors = {name: tensor for name, tensor in owned(state).items() if name not in tied}
    if mask is not None:
        tensors |= checked_mask(mask, state)
    said = said.model_copy(update={"digest": digest(said.model_dump_json(), tensors)})
    with draft(path) as file:
        save_file(tensors, file, {"format": "pt", _KEY: said.model_dump_json()})
    return path.stat().st_size


def load_network(path: str | Path, *, build: Build | None = None) -> nn.Module:
    """Build the network that :func:`save_network` wrote, on the CPU and in evaluation mode.

    A network of the zoo is built without memory for the dense weights, cut as the file says, and given the file's
    tensors, in their precision. Names mean networks of the zoo's table and nothing else; no code is read from the file.
    Its mask, if it has one, is ``Mask.load(path)``.

    Args:
        path: the file.
        build: makes the dense network, for one that is not of the zoo; its weights do not matter.

    Raises:
        ExportError: when the file is absent, damaged, changed or not of this kind, ``build`` is missing, or what it
            makes is not what was saved.
    """
    path = Path(path)
    said, tensors = _read(path)
    try:
        model = _rebuilt(said, build)
    except (SecateursError, TypeError, ValueError) as error:
        raise ExportError(f"{path}: the network cannot be built: {error}") from error
    for alias, name in said.tied.items():
        if name not in tensors or alias in tensors:
            raise ExportError(f"{path}: {alias!r} should be tied to {name!r}: write the file anew with save_network")
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith("mask/")}
    state |= {alias: state[name] for alias, name in said.tied.items()}
    wrong = fault(state, _state(model))
    if not wrong and ties(model) != said.tied:
        wrong = f"tied parameters are {said.tied or 'none'} in the file, {ties(model) or 'none'} in the model"
    if wrong:
        whose = "the network that 'build' makes" if build else "the network of the zoo"
        raise ExportError(f"{path}: {whose}, cut as the file says, is not what was saved: {wrong}")
    for name, tensor in model.state_dict(keep_vars=True).items():
        if not tensor.is_meta and tensor.dtype != state[name].dtype:
            tensor.data = tensor.data.to(state[name].dtype)
    model.load_state_dict(state, assign=any(tensor.is_meta for tensor in model.state_dict().values()))
    return model.eval()


def _rebuilt(said: Architecture, build: Build | None) -> nn.Module:
    """The network in its shapes: that of the zoo on the meta device, one that is built where it is built."""
    if build is not None:
        model: Any = build()
    elif said.zoo is not None:
        spec = Spec(said.zoo.name, _tuples(said.zoo.options))
        with torch.device("meta"):
            model = build_model(spec, tuple(said.zoo.input_shape), said.zoo.num_classes, seed=0)
    else:
        raise ExportError("it is not of the zoo: give build=, which makes the dense network")
    if not isinstance(model, nn.Module):
        raise ExportError(f"build: expected to get a torch module, got {type(model).__name__}")
    network: nn.Module = model
    for cut in said.cuts:
        network = remove_channels(network, keep_of(cut, network))
    return network


def _state(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.state_dict())


def _read(path: Path) -> tuple[Architecture, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if text else {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{path}: cannot be read: {error}") from error
    if text is None:
        raise ExportError(
            f"{path}: holds tensors, but does not say of what network: it was not written by save_network. Build the "
            "network, and give it load_state_dict(safetensors.torch.load_file(path))"
        )
    try:
        said = Architecture.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise ExportError(
            f"{path}: its description is not one that this version reads: {where}: {first['msg']}"
        ) from error
    if digest(said.model_copy(update={"digest": ""}).model_dump_json(), tensors) != said.digest:
        raise ExportError(f"{path}: damaged or changed: its digest is not that of its content; write it anew")
    return said, tensors


def _zoo(spec: Spec, input_shape: Sequence[int], num_classes: int) -> Zoo:
    try:
        options = json.loads(json.dumps(dict(spec.options), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ExportError(f"the options of {spec.name!r} cannot be written as JSON: {error}") from error
    if _tuples(options) != _tuples(dict(spec.options)):
        raise ExportError(f"the options of {spec.name!r} change when written as JSON: use numbers, words and tuples")
    return Zoo(name=spec.name, options=options, input_shape=list(input_shape), num_classes=num_classes)


def _tuples(value: Any) -> Any:
    """JSON has no tuples; options have no lists."""
    if isinstance(value, dict):
        return {name: _tuples(each) for name, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
