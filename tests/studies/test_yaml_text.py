"""Plain data from YAML; what is none, or none of its kind, is told with its place."""

from __future__ import annotations

import pytest
import yaml

from secateurs.core import RecipeError
from secateurs.studies import load_recipe
from secateurs.studies.yaml_text import read_yaml


def test_a_key_that_is_merged_in_may_be_said_again() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc: {<<: *b, y: 4}\nd: [{x: 1}, {x: 2}]"
    assert read_yaml(text, "here") == {**yaml.safe_load(text), "c": {"x": 3, "y": 4}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2020-13-45", "line 2: not valid YAML: '2020-13-45' is no timestamp; put text in quotes"),
        ("a: !!float x", "line 1: not valid YAML: 'x' is no float; put text in quotes"),
        ("[1, !!int '']", "line 1: not valid YAML: '' is no int; put text in quotes"),
        ("!!bool maybe", "line 1: not valid YAML: 'maybe' is no bool; put text in quotes"),
        ("!!timestamp soon", "line 1: not valid YAML: 'soon' is no timestamp; put text in quotes"),
        ("{!!int x: 1}", "line 1: not valid YAML: 'x' is no int; put text in quotes"),
        ("a: 1\nb: '\x07'", "line 2: not valid YAML: the character '\\x07' is not allowed"),
        ("\x00", "line 1: not valid YAML: the character '\\x00' is not allowed"),
        ("a: 1\nb: &x {b: *x}", "line 2: not valid YAML: *x stands inside of &x: data cannot hold themselves"),
        ("&x [1, [*x]]", "line 1: not valid YAML: *x stands inside of &x: data cannot hold themselves"),
        ("a: *y", "line 1: not valid YAML: found undefined alias 'y'"),
    ],
)
def test_what_is_no_plain_data(text: str, told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_yaml(text, "here")
    assert str(caught.value) == f"here, {told}"


def test_what_is_nested_too_deeply() -> None:
    with pytest.raises(RecipeError, match="here: not valid YAML: nested too deeply"):
        read_yaml("[" * 5000, "here")


def test_an_override_that_is_no_date() -> None:
    with pytest.raises(RecipeError, match="override 'title=2020-13-45', line 1: not valid YAML: '2020-13-45' is no"):
        load_recipe("demo", "smoke", ["title=2020-13-45"])


def test_data_may_be_said_twice_by_an_alias() -> None:
    assert read_yaml("a: &x {b: 1}\nc: [*x, *x]\nd: &y [1]\ne: *y", "here")["c"] == [{"b": 1}, {"b": 1}]
