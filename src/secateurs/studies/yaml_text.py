"""YAML as recipes and overrides are written in: plain data only, and no key twice."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.reader import ReaderError

from secateurs.core import RecipeError


def read_yaml(text: str, where: str) -> Any:
    """The data that ``text`` says; ``where`` it stands is for messages.

    Raises:
        RecipeError: with the line, for what is not valid YAML; so are two equal keys, of which the last would count,
            and data that hold themselves.

    >>> read_yaml("train: {lr: 0.1, epochs: 4}", "recipe mine")
    {'train': {'lr': 0.1, 'epochs': 4}}
    >>> read_yaml("lr: 0.1\\nlr: 0.2", "recipe mine")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.RecipeError: recipe mine, line 2: not valid YAML: key 'lr' stands on line 1 already: ...
    """
    try:
        return _PlainLoader(text).get_single_data()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        told = f"the character {chr(error.character)!r} is not allowed"
        raise RecipeError(f"{where}, line {line}: not valid YAML: {told}") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        at = f", line {place.line + 1}" if place else ""
        raise RecipeError(f"{where}{at}: not valid YAML: {getattr(error, 'problem', error)}") from None
    except RecursionError:
        raise RecipeError(f"{where}: not valid YAML: nested too deeply") from None


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which knows only plain data, without what it takes silently or fails at.

    Of two equal keys it would take the last; data may hold themselves; what is not of its kind, such as
    the day 2020-13-45, ends in whatever Python says to it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open: list[str | None] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                told = f"*{event.anchor} stands inside of &{event.anchor}: data cannot hold themselves"
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem=told, problem_mark=mark)
            return super().compose_node(parent, index)
        self._open.append(event.anchor)
        node = super().compose_node(parent, index)
        self._open.pop()
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            told = f"{node.value!r} is no {node.tag.rpartition(':')[2]}; put text in quotes"
            mark: Any = node.start_mark
            raise yaml.MarkedYAMLError(problem=told, problem_mark=mark) from None

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not when the mapping is made: by then keys that were merged into it (<<) stand in it, too.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            known = lines.get((key.tag, key.value))
            if known is not None:
                told = f"key {key.value!r} stands on line {known} already: say it once"
                raise yaml.MarkedYAMLError(problem=told, problem_mark=key.start_mark)
            lines[key.tag, key.value] = key.start_mark.line + 1
        return node
