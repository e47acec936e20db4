"""The recipes of P3 against what its text and tables print, and the plans of its analyses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from secateurs.core import Spec
from secateurs.studies import Methods, load_recipe, plan, shipped
from secateurs.studies.importance import ImportancePlan
from secateurs.studies.recipe import scales_of
from secateurs.studies.schema import Importance
from secateurs.studies.schema.pruning import ChannelRecipe
from secateurs.zoo import ImageSet
from secateurs.zoo import digits as real_digits

TABLES = ("table1", "table2", "table3")
ANALYSES = [(name, scale) for name in ("p3/fig2", "p3/fig35") for scale in ("paper", "small", "cpu", "smoke")]
FILTERS = {"VGG-13": (75, 65), "MobileNet-V1": (75, 65), "ResNet-56": (60, 50)}  # % pruned, CIFAR-10 and CIFAR-100
GROUPS = {"VGG-13": Spec("vgg13"), "MobileNet-V1": Spec("mobilenet_v1"), "ResNet-56": Spec("resnet56")}


def paper(part: str) -> dict[str, Methods]:
    return cast("dict[str, Methods]", load_recipe(f"p3/{part}", "paper").each())


def parts(label: str) -> tuple[str, str, int]:
    network, data, rounds = label.split(", ")
    return network, data, int(rounds.split()[0])


def stand_in(spec: Spec, device: str = "cpu") -> Any:
    """What a plan asks of data, without a download."""
    if spec.name == "digits":
        return real_digits(**spec.options)
    size, classes = {"cifar10": (32, 10), "cifar100": (32, 100), "tiny_imagenet": (64, 200)}[spec.name]
    images = torch.zeros(1, 3, size, size, dtype=torch.uint8).expand(2000, 3, size, size)
    train = ImageSet(images, torch.zeros(1, dtype=torch.int64).expand(2000), torch.ones(3), torch.ones(3))
    return SimpleNamespace(train=train, input_shape=(3, size, size), num_classes=classes, digest=spec.name)


@pytest.fixture
def _no_download_and_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "load_data", stand_in)
    monkeypatch.setattr(plan, "check_precision", lambda *_: None)


def test_every_recipe_has_all_scales() -> None:
    names = [name for name in shipped() if name.startswith("p3/")]
    assert names == ["p3/fig2", "p3/fig35", *(f"p3/{table}" for table in TABLES)]
    assert {scales_of(name) for name in names} == {("paper", "small", "cpu", "smoke")}


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_run_as_in_the_paper(table: str) -> None:
    settings = paper(table)
    assert len(settings) == (9 if table == "table3" else 18)
    for label, recipe in settings.items():
        network, data, rounds = parts(label)
        assert recipe.model.name == GROUPS[network].name
        assert recipe.data.name == {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}[data]
        pruned = FILTERS[network][data == "CIFAR-100"]
        assert [100 * (1 - density) for density in recipe.densities] == pytest.approx([pruned])
        t = recipe.train
        assert (t.epochs, t.lr, t.batch_size, t.temperature, t.precision) == (160, 0.1, 128, 5, "float32")
        assert t.schedule.model_dump() == {"name": "step", "milestones": (80, 120), "gamma": 0.1}
        assert (t.optimizer.momentum, t.optimizer.weight_decay) == (0.9, 1e-4)  # type: ignore[union-attr]
        assert (recipe.seeds, recipe.moments, recipe.curves) == ((0, 1, 2), (0,), True)
        for method in recipe.methods.values():
            assert isinstance(method, ChannelRecipe)
            assert (method.counted, method.after, method.every) == ("channels", "continue", "1ep")  # type: ignore[attr-defined]
            assert method.exclude == (("conv",) if network == "ResNet-56" else ())
            left = 1 - recipe.densities[0]
            evenly = [1 - left * k / rounds for k in range(1, rounds + 1)]
            assert method.at_density(recipe.densities[0]).densities() == pytest.approx(evenly)  # type: ignore[attr-defined]


def test_methods_are_scores_of_filters() -> None:
    methods = next(iter(paper("table3").values())).methods
    found = {name: (method.score.name, method.scope) for name, method in methods.items()}
    assert found == {
        "magnitude": ("filter_norm", "global"),
        "loss preservation": ("loss_preservation", "global"),
        "proposed": ("magnitude_loss", "global"),
        "random": ("random", "global"),
        "uniform": ("random", "layer"),
        "GraSP (T = 200)": ("grasp", "global"),
        "GraSP (T = 1)": ("grasp", "global"),
        "|GraSP|": ("gradient_flow", "global"),
    }
    for name, method in methods.items():
        if name not in ("random", "uniform"):
            options = method.score.options
            assert (options["convs_only"], options["depthwise"], options["reduce"]) == (True, False, "sum")
            assert options.get("bn", "running") == "running"
    assert methods["magnitude"].score.options["order"] == 2
    assert methods["loss preservation"].score.options["absolute"] == "inside"
    assert [methods[f"GraSP (T = {t})"].score.options["temperature"] for t in (200, 1)] == [200, 1]
    assert methods["GraSP (T = 1)"].score.options["absolute"] == "none"
    assert methods["|GraSP|"].score.options["absolute"] == "outside"


def test_reported_numbers_agree_between_the_tables() -> None:
    """Table 3 prints differences to base accuracies, which agree with tables 1 and 2 to a tenth of a point."""

    def reported(table: str) -> dict[tuple[str, str | None], float]:
        return {(label, row.method): row.accuracy for label, recipe in paper(table).items() for row in recipe.reported}

    first, second, third = map(reported, TABLES)
    assert (len(first), len(second), len(third)) == (18 * 4, 18 * 4, 9 * 9)
    assert first["ResNet-56, CIFAR-10, 25 rounds", "proposed"] == 0.9217
    assert second["ResNet-56, CIFAR-100, 25 rounds", "GraSP (T = 1)"] == 0.01
    assert third["VGG-13, CIFAR-100, 1 round", "uniform"] == pytest.approx(0.6402)
    for (label, method), accuracy in third.items():
        other = {**first, **second}.get((label, method))
        if other is not None:
            assert accuracy == pytest.approx(other, abs=1e-3), (label, method)


@pytest.mark.usefixtures("_no_download_and_any_device")
@pytest.mark.parametrize(("name", "scale"), ANALYSES, ids=str)
def test_an_analysis_validates_and_plans(name: str, scale: str) -> None:
    for label, recipe in load_recipe(name, scale).each().items():
        assert isinstance(recipe, Importance)
        assert recipe.change_epochs[-1] == recipe.scatter_epochs[-1] == recipe.train.epochs
        planned = ImportancePlan(recipe, "cpu" if scale in ("cpu", "smoke") else "cuda", label)
        assert [job.name for job in planned.graph().jobs] == ["importance_run"] * len(recipe.seeds)


def test_figures_are_measured_as_in_the_paper() -> None:
    analyses = cast("dict[str, Importance]", load_recipe("p3/fig2", "paper").each())
    for network, recipe in analyses.items():
        assert recipe.model.name == GROUPS[network].name
        assert (recipe.data.name, recipe.units, recipe.mask_density) == ("cifar100", ("channels", "weights"), 0.8)
        assert recipe.change_epochs == tuple(range(10, 161, 10))
        assert recipe.scatter_epochs == (0, 40, 160)
        assert (recipe.depthwise, recipe.exclude) == (network != "MobileNet-V1", ("conv",) * (network == "ResNet-56"))
        assert recipe.train == paper("table1")["VGG-13, CIFAR-100, 1 round"].train
    for recipe in cast("dict[str, Importance]", load_recipe("p3/fig35", "paper").each()).values():
        assert (recipe.data.name, recipe.units, len(recipe.seeds)) == ("tiny_imagenet", ("channels",), 3)
