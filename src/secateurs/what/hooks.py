"""Which layer owns which parameter, and hooks that hand each layer's input and output gradient over.

What cannot be served this way is found out, never guessed past: :class:`Unfit` names the layer and
the reason, and the caller takes the slow way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from secateurs.what import layers

Visit = Callable[[str, nn.Module, Tensor, Tensor], None]
"""Called with a layer's name, the layer, its input and the gradient of its output, as each arrives."""

Owners = dict[str, tuple[nn.Module, dict[str, str]]]
"""Layer -> (module, own parameter -> full name)."""


class Unfit(Exception):  # noqa: N818 - not an error: it only says that vmap must do it
    """A layer that does not lend itself to the layer-wise form; the message names it and says why."""


def owners_of(model: nn.Module, names: Sequence[str]) -> Owners:
    """The layers that own the parameters ``names``.

    Raises:
        Unfit: for a parameter with several owners, or a layer without a rule.
    """
    wanted, owners = set(names), Owners()
    known = dict(model.named_parameters())
    everywhere: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        everywhere.setdefault(id(parameter), []).append(name)
    for name in names:
        places = everywhere[id(known[name])]
        if len(places) > 1:
            raise Unfit(f"{' and '.join(places)} are one parameter")
    for layer, module in model.named_modules():
        own = {attribute: f"{layer}.{attribute}" if layer else attribute for attribute in _direct(module)}
        own = {attribute: name for attribute, name in own.items() if name in wanted}
        if own and not layers.supported(module):
            raise Unfit(f"layer {layer or 'the model itself'!r} ({type(module).__name__}) has no rule")
        if own:
            owners[layer] = (module, own)
    return owners


def check_uses(owners: Owners, leaves: dict[str, Tensor], output: Tensor, called: set[str]) -> None:
    """Whether each parameter of ``owners`` (as the leaf it was) went into ``output`` by its layer alone.

    Raises:
        Unfit: when one is also, or only, used elsewhere.
    """
    uses = _uses(output)
    for layer, (_, own) in owners.items():
        for name in own.values():
            used = uses[id(leaves[name])]
            if used > 1:
                raise Unfit(f"{name!r} is used {used} times, not only by its layer")
            if used and layer not in called:
                raise Unfit(f"{name!r} is used, but not by its layer")


@contextmanager
def hooked(owners: Owners, n: int, visit: Visit, *, keep: bool = False) -> Iterator[set[str]]:
    """While open, a forward pass over ``n`` examples; its backward pass visits every owner with input and gradient.

    Yields the names of the layers that were called.

    Args:
        keep: several backward passes follow; else an input is let go with its visit, which halves the peak memory.
    """
    seen: set[str] = set()

    def forward_hook(layer: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
            a = args[0].detach()
            if layer in seen:
                raise Unfit(f"layer {layer!r} is used more than once")
            if len(a) != n or len(output) != n:
                raise Unfit(f"layer {layer!r} mixes the batch dimension: it got {len(a)} rows for {n} examples")
            seen.add(layer)
            # Parameters are detached: the first layers' outputs need a gradient of their own to be asked for.
            # (A copy, since what follows may change it in place, which a leaf does not allow.)
            output = output if output.requires_grad else output.detach().requires_grad_().clone()
            if not output.requires_grad:  # under the model's own no_grad: no gradient ever comes
                return output
            held, version = [a], a._version

            def arrived(g: Tensor) -> None:
                a = held[0] if keep else held.pop()
                if a._version != version:
                    raise Unfit(f"the input of layer {layer!r} is changed in place after its use")
                visit(layer, module, a, g)

            output.register_hook(arrived)
            return output

        return hook

    handles = [module.register_forward_hook(forward_hook(layer)) for layer, (module, _) in owners.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _uses(output: Tensor) -> Counter[int]:
    """How often each leaf goes into ``output``, by the leaf's id."""
    found: Counter[int] = Counter()
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for below, _ in node.next_functions:
            if below is not None and hasattr(below, "variable"):
                found[id(below.variable)] += 1
            else:
                waiting.append(below)
    return found


def _direct(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters(recurse=False)]
