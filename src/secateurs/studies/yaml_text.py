"""YAML as recipes and overrides are written in: plain data only, and no key twice."""

from __future__ import annotations

from typing import Any

import yaml

from secateurs.core import RecipeError


def read_yaml(text: str, where: str) -> Any:
    """The data that ``text`` says; ``where`` it stands is for messages.

    Raises:
        RecipeError: with the line, for what is not valid YAML; so are two equal keys, of which the last would count.

    >>> read_yaml("train: {lr: 0.1, epochs: 4}", "recipe mine")
    {'train': {'lr': 0.1, 'epochs': 4}}
    >>> read_yaml("lr: 0.1\\nlr: 0.2", "recipe mine")
    Traceback (most recent call last):
    ...
    secateurs.core.errors.RecipeError: recipe mine, line 2: not valid YAML: key 'lr' stands on line 1 already: ...
    """
    loader = _EachKeyOnce(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise RecipeError(f"{where}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None
    finally:
        loader.dispose()


class _EachKeyOnce(yaml.SafeLoader):
    """PyYAML's safe loader, which knows only plain data; of two equal keys it would silently take the last."""

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
