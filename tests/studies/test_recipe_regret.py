"""The recipe of the regret benchmark: what is said of all its settings is checked when it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from secateurs.core import RecipeError
from secateurs.studies import EarlyPeriods, check, load_recipe
from secateurs.studies.schema import Regret

Make = Callable[..., EarlyPeriods]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("judged=[ResNett]", "judged: no setting 'ResNett'; choices: LeNet-300-100, ResNet; did you mean 'ResNet'?"),
        (
            "settings.ResNet.triggers.early={name: at, moment: 0}",
            "settings.ResNet.triggers: triggers are compared over all settings: say them once, outside",
        ),
        ("judged=3", "judged: expected a list, got 3: say [3]"),
        (
            "settings.ResNet.judged=[ResNet]",
            "settings.ResNet.judged: that is said once, outside, with the labels of the settings",
        ),
    ],
)
def test_faults_of_the_regret_benchmark(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("benchmarks/when", "smoke", [override])
    assert str(caught.value) == f"recipe benchmarks/when: {message}"


def test_without_settings_none_is_judged(recipe: Make) -> None:
    plain = recipe().model_dump(mode="json") | {"study": "regret"}
    with pytest.raises(RecipeError, match="recipe mine: judged: no setting 'foo': the recipe has no settings"):
        check({**plain, "judged": ["foo"]}, "mine")
    made = check({**plain, "settings": {"foo": {}, "bar": {"train": {"lr": 0.1}}}, "judged": ["foo"]}, "mine")
    assert isinstance(made, Regret)
    assert made.judged == ("foo",)
    assert [each.judged for each in made.each().values()] == [(), ()]
    assert check(made.model_dump(mode="json"), "again") == made
