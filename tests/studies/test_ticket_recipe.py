"""The recipe of one ticket: its levels, how its network is trained, its moment."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import RecipeError
from secateurs.studies.tickets.recipe import densities_to, ticket_recipe
from secateurs.train import Adam, Sgd
from secateurs.train.schedules import Step

SHARES = st.floats(0.01, 0.99)


@given(density=SHARES, rate=SHARES)
def test_levels_fall_by_the_rate_and_land_on_the_density(density: float, rate: float) -> None:
    found = densities_to(density, rate)
    assert found[-1] == density, "to the bit"
    assert all(after < before for before, after in pairwise(found))
    for level, kept in enumerate(found[:-1], 1):
        assert kept == pytest.approx((1 - rate) ** level)
        assert kept > density
    reached = (1 - rate) ** len(found)
    assert reached <= density * 1.0011, "there is no level too few"


def test_how_networks_are_trained_by_default() -> None:
    lenet = ticket_recipe("lenet_300_100", "digits", 0.5).train
    assert (lenet.epochs, lenet.batch_size, lenet.lr) == (20, 60, 1.2e-3)
    assert lenet.optimizer == Adam(fused=True)
    resnet = ticket_recipe("resnet20", "digits", 0.5, overrides=["train.epochs=8", "data.enlarge=4"])
    assert isinstance(resnet.train.schedule, Step)
    assert resnet.train.schedule.milestones == (4, 6), "they follow the epochs"
    assert (resnet.train.lr, resnet.train.augment) == (0.1, "none")
    assert resnet.rewind == (f"{8 * 9 // 20}it",), "a twentieth of 8 epochs of 9 steps"


def test_what_is_said_instead_holds() -> None:
    said = ["train.optimizer=sgd", "train.schedule=cosine", "train.lr=0.5", "prune.scope=layer"]
    recipe = ticket_recipe("lenet_300_100", "digits", 0.5, one_shot=True, exclude=["5"], overrides=said)
    assert recipe.train.optimizer == Sgd()
    assert (recipe.train.lr, recipe.train.schedule.name) == (0.5, "cosine")
    assert (recipe.prune.scope, recipe.prune.exclude) == ("layer", ("5",))
    assert recipe.densities == (0.5,)
    assert recipe.tickets["one-shot IMP"].search == "one_shot"


def test_layers_left_whole_are_those_of_both() -> None:
    both = ticket_recipe("lenet_300_100", "digits", 0.5, exclude=["5", "1"], overrides=['prune.exclude=["3", "5"]'])
    assert both.prune.exclude == ("3", "5", "1")


@pytest.mark.parametrize(("epochs", "milestones"), [(1, (1,)), (2, (1,)), (3, (1, 2)), (60, (30, 45))])
def test_no_milestone_is_said_twice(epochs: int, milestones: tuple[int, ...]) -> None:
    recipe = ticket_recipe("digits_resnet", "digits", 0.5, rewind="0", overrides=[f"train.epochs={epochs}"])
    assert isinstance(recipe.train.schedule, Step)
    assert recipe.train.schedule.milestones == milestones


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("prune=5", "prune: expected a mapping of keys, got 5"),
        ("train=5", "train: expected a mapping of keys, got 5"),
        ("train=[1]", "train: expected a mapping of keys, got"),
        ("prune.exclude=5", r"prune.exclude: expected a list, got 5: say \[5\]"),
        ("train.optimizer=sgd", "train.optimizer: sgd: the learning rate 0.0012 is meant for adam: say train.lr, too"),
        ("train.optimizer.name=adamw", "train.optimizer: adamw: .* say train.lr, too"),
    ],
)
def test_what_makes_no_recipe_is_told(override: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        ticket_recipe("lenet_300_100", "digits", 0.5, exclude=["1"], overrides=[override])


def test_a_rate_near_zero_is_refused_at_once() -> None:
    for rate in (1e-3, 1e-18, 5e-324):
        with pytest.raises(RecipeError, match=r"--rate: .* levels: say more"):
            densities_to(0.3, rate)
    assert len(densities_to(0.3, 0.0013)) < 1000
    assert densities_to(0.3, 1e-18, one_shot=True) == [0.3]


@pytest.mark.parametrize(
    ("text", "moment"), [("0", 0), ("2", 2), ("2ep", "2ep"), ("7it", "7it"), ("10%", "36it"), ("0.1%", 0)]
)
def test_moments_as_a_person_writes_them(text: str, moment: str | int) -> None:
    assert ticket_recipe("lenet_300_100", "digits", 0.5, rewind=text).rewind == (moment,), "20 epochs of 18 steps"


@pytest.mark.parametrize("override", ["model=conv_2", "data.name=mnist", "model=[]"])
def test_another_network_is_named_not_overridden(override: str) -> None:
    with pytest.raises(RecipeError, match="name another one in its place"):
        ticket_recipe("lenet_300_100", "digits", 0.5, overrides=[override])
