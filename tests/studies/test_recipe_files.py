"""Recipes in files: what is no recipe, scales, and recipes laid on one another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from secateurs.core import RecipeError
from secateurs.studies import EarlyPeriods, load_recipe
from secateurs.studies.recipe import scales_of

Make = Callable[..., EarlyPeriods]


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping of keys, found NoneType"),
        ("3", "expected a mapping of keys, found int"),
        ("[1, 2]", "expected a mapping of keys, found list"),
        ("just words", "expected a mapping of keys, found str"),
        ("common: {}\nscales: [1", "line 2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: b: c", "line 1: not valid YAML: mapping values are not allowed here"),
        ('common: {}\nscales:\n  small: {}\n  "small": {}', "line 4: not valid YAML: key 'small' stands on line 3 "),
        (
            "common: {}\nscales: {}\ncommon: {a: 1}",
            "line 3: not valid YAML: key 'common' stands on line 1 already: ",
        ),
        ("common: {seeds: [{a: 1, a: 1}]}", "line 1: not valid YAML: key 'a' stands on line 1 already: say it once"),
        ("!!python/object:os.system {}", "line 1: not valid YAML: could not determine a constructor"),
        ("comon: {}", "comon: unknown key; choices: base, common, scales, study; did you mean 'common'?"),
        ("common: 3", "common: expected a mapping, got 3"),
        ("scales: {small: 3}", "scales.small: expected a mapping, got 3"),
        ("study: late\nscales: {small: {}}", "study: unknown kind 'late'; choices: advice, early_periods, "),
        (
            "base: demo\nstudy: late\nscales: {demo: {}}",
            "study: unknown kind 'late'; choices: advice, early_periods, importance, methods, regimes, regret, tickets",
        ),
        ("common: {}", "scales: has none; put at least one there, e.g. small: {}"),
        ("scales: {small: {}, smoke: {}}", "say which scale; choices: small, smoke"),
        ("base: dem", "base: no shipped recipe 'dem'; choices: benchmarks/when, demo, "),
        ("scales: {small: {}}", "title: is missing"),
    ],
)
def test_files_that_are_no_recipes(tmp_path: Path, text: str, message: str) -> None:
    source = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(source)
    first = str(caught.value).splitlines()[0]
    assert re.match(re.escape(f"recipe {source}") + "(: |, )" + re.escape(message), first), first


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "noise.yaml").write_bytes(b"\xff\xfe\x00")
    for source, message in {
        str(tmp_path / "noise.yaml"): "noise.yaml: cannot be read: 'utf-8' codec can't decode byte 0xff",
        str(tmp_path / "gone.yaml"): "gone.yaml: there is no such file",
        str(tmp_path / "gone.yml"): "gone.yml: there is no such file",
        "p0/fig1": "recipe 'p0/fig1' is neither a shipped recipe nor a file; choices: benchmarks/when, demo, "
        "p0/digits_lenet, p0/fig10",
        str(tmp_path): "is neither a shipped recipe nor a file",
    }.items():
        with pytest.raises(RecipeError, match=re.escape(message)):
            load_recipe(source, "smoke")
    with pytest.raises(RecipeError, match="did you mean 'demo'"):
        load_recipe("dmo")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("smok", "recipe demo: no scale 'smok'; choices: demo, smoke; did you mean 'smoke'?"),
        (None, "recipe demo: say which scale; choices: demo, smoke"),
    ],
)
def test_scales_that_are_not_there(scale: str | None, message: str) -> None:
    with pytest.raises(RecipeError, match=f"^{re.escape(message)}$"):
        load_recipe("demo", scale)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    source = write(tmp_path, "base: demo\ncommon: {title: Mine}\nscales: {smoke: {seeds: [7]}, own: {seeds: [8]}}")
    theirs, mine = load_recipe("demo", "smoke"), load_recipe(source, "smoke")
    assert (mine.title, mine.seeds, mine.train) == ("Mine", (7,), theirs.train)
    assert scales_of(source) == ("demo", "smoke", "own")
    assert load_recipe(source, "own").seeds == (8,)
    assert load_recipe(source, "own").train.epochs == load_recipe("demo", "demo").train.epochs


def test_the_only_scale_need_not_be_said(tmp_path: Path, recipe: Make) -> None:
    plain = recipe().model_dump(mode="json", exclude={"study"})
    source = write(tmp_path, yaml.safe_dump({"common": plain, "scales": {"only": {}}}))
    assert load_recipe(source) == recipe()


def test_recipes_laid_on_each_other_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from secateurs.studies import recipe as module

    files = {
        name: Path(write(tmp_path, f"base: {base}", f"{name}.yaml")) for name, base in {"a": "b", "b": "a"}.items()
    }
    monkeypatch.setattr(module, "shipped", lambda: files)
    with pytest.raises(RecipeError, match="base: a -> b -> a goes round in a circle"):
        load_recipe("a", "smoke")
