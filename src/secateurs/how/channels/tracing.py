"""One forward pass of a model, followed operation by operation: which channels become which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from secateurs.core import PruningError
from secateurs.how.channels.branches import Decisions
from secateurs.how.channels.labels import FIXED
from secateurs.how.channels.leaves import tensors_of
from secateurs.how.channels.scalars import scalars
from secateurs.how.channels.trace import Blank, Flow, Given, Source, Trace

Rule = Callable[["Tracer", "Call"], None]


@dataclass(frozen=True)
class Call:
    """One operation: its function, arguments by name, and what it gave."""

    func: Any
    name: str
    args: dict[str, Any]
    given: tuple[tuple[Any, ...], dict[str, Any]]
    out: Any


class Tracer(TorchDispatchMode):
    """Follows operations and keeps the labels of every tensor that descends from a layer's output."""

    def __init__(
        self, model: nn.Module, rules: dict[str, Rule], pointwise: Rule, excluded: frozenset[str], heads: bool = True
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.heads = heads
        self.has_heads = False
        self.trace = Trace()
        self.model = model
        self.modules = dict(model.named_modules())
        self._rules, self._pointwise, self._excluded = rules, pointwise, excluded
        self._known: Any = WeakTensorKeyDictionary()
        self._stack: list[str] = []
        self._calls: dict[str, int] = {}
        self._decisions = Decisions()
        self._chance = False
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self._known[tensor] = Source(name, tuple(range(tensor.ndim)))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch imports dynamo, a second and more, for a mode that is never compiled

    @property
    def where(self) -> str:
        """Name of the module that is being called."""
        return self._stack[-1] if self._stack else ""

    @property
    def excluded(self) -> bool:
        """Whether the module that is being called, or one around it, is to be left alone."""
        return any(self.where == each or self.where.startswith(f"{each}.") for each in self._excluded)

    def inside(self, kinds: tuple[type[nn.Module], ...]) -> bool:
        """Whether the module that is being called is of one of these kinds."""
        return isinstance(self.modules[self.where], kinds)

    def told(self) -> str:
        """The module that is being called, in words."""
        return f"{self.where!r} ({type(self.modules[self.where]).__name__})" if self.where else "the model's forward"

    def source(self, tensor: object) -> Source | None:
        """The parameter or buffer that a tensor is, if it is one."""
        known = self._known.get(tensor) if isinstance(tensor, Tensor) else None
        return known if isinstance(known, Source) else None

    def flow(self, tensor: object) -> Flow | None:
        """The labels of a tensor, if it has some that are not fixed."""
        known = self._known.get(tensor) if isinstance(tensor, Tensor) else None
        return known if isinstance(known, Flow) and not known.fixed else None

    def unknown(self, tensor: Tensor) -> bool:
        """Whether ``forward`` made a tensor of nothing: it follows neither from the inputs nor from the model's own."""
        return self._known.get(tensor) is None

    def _soil(self, tensor: Tensor) -> None:
        """Where channels are masked, a tensor is no longer 0, nor are those that share its memory."""
        flows = [(each, known) for each, known in self._known.items() if isinstance(known, Flow) and known.clean]
        for each, known in flows:
            if torch.strided == each.layout == tensor.layout and _memory(each) == _memory(tensor):
                self.give(each, Flow(known.labels, clean=False))

    def blank(self, tensor: object) -> bool:
        """Whether a tensor is zeros that ``forward`` made."""
        return isinstance(tensor, Tensor) and isinstance(self._known.get(tensor), Blank)

    def give(self, tensor: Tensor, known: Flow | Source | Blank | Given) -> None:
        """Say what is known of a tensor."""
        self._known[tensor] = known

    def fix(self, labels: Tensor, why: str) -> None:
        """Channels that stay, and why."""
        self.trace.nodes.fix(labels, f"{self.told()}: {why}")

    def start(self, inputs: object, decisions: Decisions) -> None:
        """The model's inputs, which stay, and what it is told when it takes truth values out of them."""
        self._decisions, self._stack, self._calls, self._chance = decisions, [], {}, False
        for tensor in tensors_of(inputs)[0]:
            self.give(tensor, Given())

    def end(self, outputs: object) -> None:
        """The model's outputs: they stay."""
        for each in tensors_of(outputs)[1]:
            raise PruningError(
                f"channel_groups: the model returns a {type(each).__name__}, in which tensors cannot be found: return "
                "tensors, or containers and dataclasses of them"
            )
        self.stay(outputs, "the model returns them")
        for name, calls in self._calls.items():
            self.trace.calls[name] = max(calls, self.trace.calls.get(name, 0))

    def stay(self, tensors: object, why: str) -> None:
        """Whatever channels there are in a structure of tensors: they stay."""
        for tensor in tensors_of(tensors)[0]:
            flow = self.flow(tensor)
            if flow is not None:
                self.trace.nodes.fix(flow.labels, why)

    def settle(self) -> None:
        """All ways have been followed."""
        for name, module in self.modules.items():
            if isinstance(module, nn.RNNBase | nn.RNNCellBase):
                self._recurrent(name, module)
        self.trace.settle()

    def _recurrent(self, name: str, module: nn.RNNBase | nn.RNNCellBase) -> None:
        """One number says how many hidden units all layers and directions have: they go together.

        A hidden unit has a row in each gate, also where the example is one step long.
        """
        states = [f"{name}.{own}" if name else own for own in module._parameters if own.startswith("weight_hh")]
        states = [state for state in states if (state, 1) in self.trace.cuts]
        for state in states:
            line = self.trace.cuts[state, 1].labels
            self.trace.nodes.unite(line, self.trace.cuts[states[0], 1].labels)
            if getattr(module, "proj_size", 0):
                for dim in (0, 1):
                    self.trace.nodes.fix(self.trace.cuts[state, dim].labels, f"{name!r} projects its hidden state")
            else:
                self.trace.nodes.unite(self.trace.cuts[state, 0].labels.reshape(-1, len(line)), line)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        known = [self._known.get(each) for each in tensors]
        name: str = func._schema.name.split("::")[1]
        if name in ("_local_scalar_dense", "equal", "is_nonzero") and any(each is not None for each in known):
            return self._number(func, args, kwargs, known)
        if name.endswith("_") and tensors and (whole := tensors[0]._base) is not None and self.blank(whole):
            self.give(whole, Flow(_fixed(whole)))  # zeros no longer, in a part at least
        out = func(*args, **kwargs)
        self._numbers(func, name, (args, kwargs), list(zip(tensors, known, strict=True)), out)
        if name in ("zeros", "new_zeros") or (known and all(isinstance(each, Blank) for each in known)):
            for tensor in tree_leaves(out):
                if isinstance(tensor, Tensor):
                    self.give(tensor, Blank() if name in _STILL_ZERO else Flow(_fixed(tensor)))
            return out
        if not any(each is not None for each in known):
            return out
        if all(each is None or isinstance(each, Given) for each in known):
            for tensor in tree_leaves(out):
                if isinstance(tensor, Tensor):
                    self.give(tensor, Given())
            return out
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and all(tensor is not each for each in tensors):
                self.give(tensor, Flow(_fixed(tensor)))
        if name.endswith("_") and isinstance(known[0], Given):
            self.give(tensors[0], Flow(_fixed(tensors[0])))
        call = Call(func, name, _by_name(func, args, kwargs), (args, kwargs), out)
        rule = self._rules.get(name.removesuffix("_")) or (
            self._pointwise if torch.Tag.pointwise in func.tags else None
        )
        if rule is not None and not self.excluded:
            rule(self, call)
            if name.endswith("_") and self.blank(tensors[0]):
                self.give(tensors[0], Flow(_fixed(tensors[0])))  # zeros no longer
            if name.endswith("_") and (flow := self.flow(tensors[0])) is not None and not flow.clean:
                self._soil(tensors[0])
            return out
        for each in known:
            if isinstance(each, Source):
                self.trace.whole[each.name] = f"{self.told()}: {func} of {each.name!r} has no rule, or is excluded"
        if any(isinstance(each, Flow) and not each.fixed for each in known):
            if not self.excluded:
                remedy = f"exclude=[{self.where!r}]" if self.where else "a module of its own, and exclude that"
                raise PruningError(
                    f"channel_groups: {self.told()} uses the operation {func}, for which there is no rule: its "
                    f"channels cannot be followed. Leave them whole with {remedy}"
                )
            for each in known:
                if isinstance(each, Flow):
                    self.fix(each.labels, "it is excluded")
        return out

    def _numbers(self, func: Any, name: str, given: Any, arguments: list[tuple[Tensor, Any]], out: Any) -> None:
        """Write down the numbers of an operation, and the tensors that ``forward`` made of nothing where it meets any.

        Both are the same after a cut unless they follow from a width. What is drawn at random, or left to chance, is
        not written down: how much is drawn may follow from a width, without harm.
        """
        self._chance = self._chance or torch.Tag.nondeterministic_seeded in func.tags or name.startswith("empty")
        met = any(what is not None for _, what in arguments)
        unknown = [tensor for tensor, what in arguments if what is None] if met else []
        if name == "lift_fresh" and isinstance(out, Tensor):
            unknown = [out]  # torch.tensor([...])
        if self._chance:
            unknown = [tensor for tensor in unknown if tensor.numel() == 1]
        self.trace.scalars += scalars(self.where, func, name, given, unknown)

    def _number(self, func: Any, args: Any, kwargs: Any, known: list[Any]) -> bool:
        """A truth value that follows from the inputs alone: it will be both. Any other number cannot be followed."""
        if all(each is None or isinstance(each, Given) for each in known):
            first = args[0]
            found = False if first.is_meta and first.dtype == torch.bool else func(*args, **kwargs)
            if isinstance(found, bool):
                return self._decisions.take(found)
        raise PruningError(
            f"channel_groups: {self.told()} takes a number out of a tensor, so what it does may depend on data: "
            "such control flow cannot be traced. Move it out of forward(), or write it with tensor operations"
        )

    @contextmanager
    def following(self) -> Iterator[None]:
        """Know at any time which module is being called."""
        handles = []
        for name, module in self.modules.items():

            def enter(module: nn.Module, args: object, kwargs: object, name: str = name) -> None:
                self._stack.append(name)
                self._calls[name] = self._calls.get(name, 0) + 1
                if isinstance(module, WHOLE):
                    self.stay((args, kwargs), f"{self.told()}: its width is written into it")

            def leave(module: nn.Module, _args: object, out: object) -> None:
                if isinstance(module, WHOLE):
                    self.stay(out, f"{self.told()}: its width is written into it")
                self._stack.pop()

            handles += [
                module.register_forward_pre_hook(enter, with_kwargs=True),
                module.register_forward_hook(leave),
            ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


_STILL_ZERO = ("zeros", "new_zeros", "unbind", "transpose", "select", "slice", "expand", "unsqueeze", "squeeze", "view")


WHOLE = (nn.MultiheadAttention,)
"""Modules whose width and heads are written into torch's functions: what they read, make and split stays."""


def _fixed(tensor: Tensor) -> Tensor:
    return torch.tensor(FIXED).expand(tensor.shape)


def _memory(tensor: Tensor) -> int:
    memory: int = tensor.untyped_storage()._cdata
    return memory


def _by_name(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    named = {}
    for position, argument in enumerate(func._schema.arguments):
        if position < len(args):
            named[argument.name] = args[position]
        elif argument.name in kwargs:
            named[argument.name] = kwargs[argument.name]
        else:
            named[argument.name] = argument.default_value
    return named
