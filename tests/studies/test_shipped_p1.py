"""The recipes of P1 against what its text, tables and figures print."""

from __future__ import annotations

from typing import cast

import pytest

from secateurs.core import Spec
from secateurs.studies import EarlyPeriods, Methods, load_recipe
from secateurs.studies.schema import ChannelMethodRecipe, MethodRecipe

STRUCTURED = [
    "Random-S", "SNAP", "CroP-S", "CroPit-S", "EarlyBird", "EarlyCroP-S", "GateDecorators", "EfficientConvNets",
]  # fmt: skip
UNSTRUCTURED = ["Random-U", "SNIP", "GRASP", "CroP-U", "CroPit-U", "EarlyCroP-U", "LTR"]
TABLES = {
    "table1": (0.05, [91.5, 86.3, 87.6, 87.5, 87.8, 84.3, 91.0, 87.3, 70.5, 84.9, 88.2, 88.4, 87.9, 89.1, 91.1, 91.5]),
    "table2": (0.02, [90.2, 89.3, 89.8, 91.1, 92.4, 85.9, 93.0, 90.0, 84.2, 88.5, 90.1, 92.0, 91.8, 91.6, 93.0, 93.6]),
    "table5": (0.02, [62.1, 53.9, 49.3, 57.4, 56.5, 60.7, 62.2, 55.0, 29.5, 55.8, 61.9, 63.4, 63.8, 56.3, 65.1, 64.7]),
    "table6": (0.10, [51.3, 37.3, 38.3, 39.1, 39.1, 39.2, 30.1, 27.7, 49.3, 46.2, 43.7, 46.7, 19.1, 49.8, 46.3]),
}


def paper(part: str) -> dict[str, Methods]:
    return cast("dict[str, Methods]", load_recipe(f"p1/{part}", "paper").each())


@pytest.mark.parametrize("part", TABLES)
def test_a_table_is_in_print(part: str) -> None:
    density, accuracies = TABLES[part]
    (recipe,) = paper(part).values()
    names = [name for name in [*STRUCTURED, *UNSTRUCTURED] if part != "table6" or name != "EarlyBird"]
    assert list(recipe.methods) == names
    assert [100 * row.accuracy for row in recipe.reported] == pytest.approx(accuracies)
    assert [row.method for row in recipe.reported] == [None, *names]
    assert recipe.densities == (density,)
    assert {row.density for row in recipe.reported} == {None, density}
    ways = {name: type(method) for name, method in recipe.methods.items()}
    assert ways == {name: ChannelMethodRecipe if name in STRUCTURED else MethodRecipe for name in names}


@pytest.mark.parametrize("part", TABLES)
def test_training_is_that_of_appendix_c(part: str) -> None:
    (recipe,) = paper(part).values()
    t, vgg = recipe.train, part in ("table2", "table5")
    assert (t.epochs, t.lr, t.batch_size, t.optimizer.name) == (80, 0.002, 128 if part == "table6" else 256, "adam")
    assert t.schedule.name == ("constant" if vgg else "one_cycle")
    assert recipe.model.name == ("vgg16" if vgg else "resnet18_imagenet")
    assert recipe.data.name == {"table5": "cifar100", "table6": "tiny_imagenet"}.get(part, "cifar10")
    assert recipe.data.options["size"] == {"table5": None, "table6": 224}.get(part, 64)
    assert t.augment == {"table5": "flip_crop_rotate", "table6": "none"}.get(part, "flip_crop")
    assert (recipe.seeds, recipe.costs.memory) == ((0, 1, 2), True)


def test_methods_are_what_their_names_say() -> None:
    (recipe,) = paper("table1").values()
    assert {
        name: (each.score.name, each.schedule, each.when and each.when.name, each.at, each.after)
        for name, each in recipe.methods.items()
    } == {
        "Random-S": ("random", "one_shot", None, None, "continue"),
        "SNAP": ("snap", "one_shot", None, None, "continue"),
        "CroP-S": ("crop_gate", "one_shot", None, None, "continue"),
        "CroPit-S": ("crop_gate", "early_crop", None, None, "continue"),
        "EarlyBird": ("bn_scale", "one_shot", "early_bird", None, "continue"),
        "EarlyCroP-S": ("crop_gate", "one_shot", "early_crop", None, "continue"),
        "GateDecorators": ("gate_decorators", "rounds", None, 20, "continue"),
        "EfficientConvNets": ("filter_norm", "one_shot", None, 40, "continue"),
        "Random-U": ("random", "one_shot", None, None, "continue"),
        "SNIP": ("snip", "one_shot", None, None, "continue"),
        "GRASP": ("grasp", "one_shot", None, None, "continue"),
        "CroP-U": ("gradient_flow", "one_shot", None, None, "continue"),
        "CroPit-U": ("gradient_flow", "early_crop", None, None, "continue"),
        "EarlyCroP-U": ("gradient_flow", "early_crop", "early_crop", None, "continue"),
        "LTR": ("magnitude", "one_shot", None, 2, "replay"),
    }
    assert all(method.min_lr == 0 for method in recipe.methods.values())  # P1 has no Lambda
    convnets, grasp, ltr = (recipe.methods[name] for name in ("EfficientConvNets", "GRASP", "LTR"))
    assert (convnets.scope, convnets.score.options["order"]) == ("layer", 1)
    assert (grasp.score.options["temperature"], grasp.score.options["bn"]) == (200, "batch")
    assert isinstance(ltr, MethodRecipe)
    assert ltr.levels == 10
    assert [name for name, each in recipe.methods.items() if each.fresh_optimizer] == ["LTR"]
    (other,) = paper("table2").values()
    assert other.methods == recipe.methods


def test_figure_1_and_3_share_the_tables_runs() -> None:
    (first,), (table,) = paper("fig1").values(), paper("table5").values()
    assert (first.model, first.data, first.train, first.methods) == (
        table.model, table.data, table.train, table.methods,
    )  # fmt: skip
    assert set(table.densities) <= set(first.densities)
    for label, part in {
        "ResNet-18, CIFAR-10": "table1",
        "ResNet-18, Tiny ImageNet": "table6",
        "VGG-16, CIFAR-10": "table2",
        "VGG-16, CIFAR-100": "table5",
    }.items():
        figure, (table,) = paper("fig3")[label], paper(part).values()
        for field in ("model", "data", "train", "methods", "signals", "seeds", "prune"):
            assert getattr(figure, field) == getattr(table, field), (label, field)
        assert set(table.densities) <= set(figure.densities)


def test_the_large_network_of_table_3() -> None:
    settings = paper("table3")
    large, longer, small = settings.values()
    assert (large.model.name, longer.model.name, small.model.name) == (
        "resnext101_32x48d", "resnext101_32x48d", "resnext101_32x16d",
    )  # fmt: skip
    assert (large.train.epochs, longer.train.epochs, small.train.epochs) == (30, 80, 30)
    assert [[row.accuracy for row in recipe.reported] for recipe in settings.values()] == [
        [0.924, 0.925], [0.932], [0.921],
    ]  # fmt: skip
    assert (list(large.methods), large.densities, small.trained) == (["CroP-S"], (0.015,), False)


def test_imagenet_of_table_7() -> None:
    eighteen, longer = paper("table7").values()
    assert (eighteen.train.epochs, longer.train.epochs) == (18, 26)
    assert [row.accuracy for row in (*eighteen.reported, *longer.reported)] == [0.5878, 0.6001, 0.6143]
    assert (eighteen.data.name, eighteen.model.name, eighteen.densities) == ("imagenet", "vgg16", (0.5,))
    assert list(eighteen.methods) == ["EarlyCroP-S"]


@pytest.mark.parametrize(("part", "densities"), [("fig2", [0.02]), ("fig8", [0.2, 0.02, 0.005])])
def test_when_to_prune(part: str, densities: list[float]) -> None:
    settings = cast("dict[str, EarlyPeriods]", load_recipe(f"p1/{part}", "paper").each())
    assert [recipe.prune.density for recipe in settings.values()] == densities
    for recipe in settings.values():
        assert (recipe.prune.score.name, recipe.prune.schedule) == ("gradient_flow", "early_crop")
        assert recipe.triggers == {
            "EarlyCroP": Spec("early_crop", {"threshold": None, "no_earlier_than": None, "no_later_than": None})
        }
        assert recipe.train.epochs == (200 if part == "fig2" else 80)
        assert recipe.data.options["size"] == 64
