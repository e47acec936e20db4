"""The recipes of P2 chapter 5 against what its text, tables and figures print."""

from __future__ import annotations

from typing import cast

import pytest

from secateurs.core import Moment, Spec
from secateurs.studies import Methods, load_recipe
from secateurs.studies.schema import DynamicImpMethodRecipe, MethodRecipe, RegrowthMethodRecipe

SPARSITIES = [20, 36, 48.8, 59, 67.2, 73.8, 79, 83.2, 86.6, 89.3, 91.4, 93.1, 94.5, 95.6, 96.5, 97.2, 97.7, 98.2]
MATCHING = {"ResNet-20, CIFAR-10": 73.8, "VGG-16, CIFAR-10": 93.1, "ResNet-18, Tiny ImageNet": 96.5}  # P2 5.6


def paper(part: str) -> dict[str, Methods]:
    return cast("dict[str, Methods]", load_recipe(f"p2/{part}", "paper").each())


def test_figure_5_4_is_run_as_in_the_paper() -> None:
    settings = paper("fig5_4")
    assert {label: (r.model, r.data.name, len(r.seeds)) for label, r in settings.items()} == {
        "ResNet-20, CIFAR-10": (
            Spec("resnet20", {"width": 16, "shortcut": "B", "bn_scale": "uniform"}), "cifar10", 5,
        ),
        "VGG-16, CIFAR-10": (
            Spec("vgg16", {"width": 64, "fully_connected": 1, "bn_scale": "uniform"}), "cifar10", 5,
        ),
        "ResNet-18, Tiny ImageNet": (
            Spec("resnet18", {"width": 64, "shortcut": "B", "bn_scale": "uniform"}), "tiny_imagenet", 3,
        ),
    }  # fmt: skip
    for label, recipe in settings.items():
        assert [round(100 * (1 - density), 1) for density in recipe.densities] == pytest.approx(SPARSITIES, abs=0.1)
        assert all(0.8**k == pytest.approx(d, abs=5e-5) for k, d in enumerate(recipe.densities, 1)), label
        assert recipe.moments == (0,)
        t = recipe.train
        assert (t.augment, t.warm_up, t.precision, t.drop_last) == ("flip_crop", 0, "float32", False)
        assert t.optimizer.model_dump() == {
            "name": "sgd", "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False, "decay_norms_and_biases": True,
        }  # fmt: skip
    # P2 tables 4.1 and 5.2
    dense = {label: [(row.accuracy, row.method) for row in recipe.reported] for label, recipe in settings.items()}
    assert list(dense.values()) == [[(0.917, None)], [(0.937, None)], [(0.64, None)]]
    cifar, tiny = settings["VGG-16, CIFAR-10"].train, settings["ResNet-18, Tiny ImageNet"].train
    assert cifar == settings["ResNet-20, CIFAR-10"].train
    assert (cifar.lr, cifar.batch_size, cifar.epochs * 352) == (0.1, 128, 63_008)  # 45,000 / 128 = 351.6 steps an epoch
    assert cifar.schedule.model_dump() == {"name": "step", "milestones": ("32000it", "48000it"), "gamma": 0.1}
    assert (tiny.lr, tiny.batch_size, tiny.epochs) == (0.2, 256, 200)
    assert tiny.schedule.model_dump() == {"name": "step", "milestones": (100, 150), "gamma": 0.1}


def test_its_methods_are_those_of_the_paper() -> None:
    methods = next(iter(paper("fig5_4").values())).methods
    assert {name: (m.score.name, m.schedule, m.steps, m.at) for name, m in methods.items()} == {
        "random": ("random", "one_shot", 1, None),
        "magnitude": ("magnitude", "one_shot", 1, None),
        "SNIP": ("snip", "one_shot", 1, None),
        "GraSP": ("grasp", "one_shot", 1, None),
        "SynFlow": ("synflow", "exponential", 100, None),
        "magnitude after training": ("magnitude", "one_shot", 1, "end"),
    }
    for method in methods.values():
        assert (method.scope, method.examples_per_class, method.after, method.fresh_optimizer, method.exclude) == (
            "global", 10, "replay", True, (),
        )  # fmt: skip
    assert methods["SNIP"].score.options["bn"] == methods["GraSP"].score.options["bn"] == "batch"
    assert methods["GraSP"].score.options["temperature"] == 200
    assert methods["GraSP"].score.options["absolute"] is False
    improved = next(iter(paper("fig5_9").values())).methods["|GraSP|"].score
    assert improved.options == methods["GraSP"].score.options | {"absolute": True}
    iterative = next(iter(paper("fig5_7").values())).methods["iterative SNIP"]
    assert (iterative.score, iterative.schedule, iterative.steps, iterative.revive) == (
        methods["SNIP"].score, "exponential", 100, False,
    )  # fmt: skip


@pytest.mark.parametrize("part", ["fig5_6", "fig5_11", "fig5_12", "fig5_14"])
def test_what_has_one_sparsity_has_the_highest_matching_one(part: str) -> None:
    for label, recipe in paper(part).items():
        assert [100 * (1 - density) for density in recipe.densities] == pytest.approx([MATCHING[label]], abs=0.05)
        assert recipe.trained == (part in ("fig5_12", "fig5_14"))


def test_figure_5_3_halves_densities_down_to_a_thousandth() -> None:
    for recipe in paper("fig5_3").values():
        assert recipe.densities == tuple(0.5**k for k in range(1, 11))


@pytest.mark.parametrize(("part", "at"), [("fig5_5", None), ("fig5_8", None), ("fig5_13", "end"), ("fig5_14", None)])
def test_ablations_are_what_their_names_say(part: str, at: str | None) -> None:
    does = {"shuffled": "shuffle", "re-initialised": "reinitialise"}
    for recipe in paper(part).values():
        for name, method in recipe.methods.items():
            whose, _, change = name.partition(", ")
            assert method.ablation == does.get(change, "none")
            assert method.invert == (change == "inverted")
            assert method.at == ("end" if "after training" in whose else at)
            if change != "unit variance":
                plain = recipe.methods[whose]
                assert (method.score, method.schedule, method.steps) == (plain.score, plain.schedule, plain.steps)
            else:
                assert method.score.options["unit_variance"] is True


P2, LEE, WANG = "Frankle 2023", "Lee et al. 2019", "Wang et al. 2020"
DROPS = {  # pruned minus dense, in points, as the tables print it beside the accuracies
    "table5_3_4": {
        "VGG-16": {LEE: [0.3], P2: [-1.5]},
        "VGG2-16": {LEE: [-0.3], P2: [-1.2]},
        "WRN-14-8": {LEE: [-0.4], P2: [-1.8]},
        "WRN-14-10": {LEE: [-0.5], P2: [-1.4]},
        "WRN-20-8": {LEE: [0.3], P2: [-1.2]},
    },
    "table5_3_5": {
        "VGG-19": {WANG: [-0.6, -0.8, -2.1], P2: [-0.0, -0.1]},
        "WRN-32-2": {WANG: [-2.2, -3.7, -7.3], P2: [-2.0, -3.5, -6.8]},
    },
    "table5_4_4": {
        "VGG-19": {WANG: [-0.9, -1.2, -2.0], P2: [-0.7, -1.0, -1.9]},
        "WRN-32-2": {WANG: [-2.4, -3.4, -6.0], P2: [-2.3, -3.6, -6.2]},
    },
}


@pytest.mark.parametrize("part", DROPS)
def test_reported_accuracies_drop_as_the_table_prints(part: str) -> None:
    settings = paper(part)
    assert settings.keys() == DROPS[part].keys()
    for label, recipe in settings.items():
        for source, drops in DROPS[part][label].items():
            rows = [row for row in recipe.reported if row.source == source]
            (dense,) = (row.accuracy for row in rows if row.method is None)
            pruned = {row.density: row.accuracy for row in rows if row.method is not None}
            assert list(pruned) == list(recipe.densities)[: len(drops)]
            # Accuracies and drops are each rounded: WRN-14-10's differ by a tenth.
            assert [100 * (accuracy - dense) for accuracy in pruned.values()] == pytest.approx(drops, abs=0.11)
    total = sum(len(recipe.reported) for recipe in settings.values())
    assert total == sum(1 + len(drops) for sources in DROPS[part].values() for drops in sources.values())


def test_table_5_2_is_in_print() -> None:
    assert {label: [row.accuracy for row in recipe.reported] for label, recipe in paper("table5_2").items()} == {
        "VGG-16, CIFAR-10": [0.94, 0.935],
        "VGG-11, CIFAR-10": [0.92, 0.92],
        "ResNet-18, CIFAR-10, reported settings": [0.95, 0.937],
        "ResNet-18, CIFAR-10, modified settings": [0.946],
        "ResNet-18, Tiny ImageNet, reported settings": [0.64, 0.588],
        "ResNet-18, Tiny ImageNet, modified settings": [0.64],
    }


def test_resnet_50_is_trained_as_in_the_paper_on_smaller_images() -> None:
    (recipe,) = paper("fig5_4_resnet50").values()
    t = recipe.train
    assert (t.epochs, t.batch_size, t.lr, t.warm_up) == (90, 1024, 0.4, 5)
    assert t.schedule.model_dump() == {"name": "step", "milestones": (30, 60, 80), "gamma": 0.1}
    assert recipe.model == Spec("resnet50", {"width": 64, "stem": "imagenet", "bn_scale": "uniform"})
    assert (recipe.data.options["size"], len(recipe.seeds)) == (64, 3)


def rewound_as_imp_rewinds(recipe: Methods, at: str) -> None:
    """The end's mask on the weights of k, trained k -> T by a fresh optimiser at the rates of the dense network."""
    ticket = recipe.methods["lottery ticket rewinding"]
    assert isinstance(ticket, MethodRecipe)
    assert (ticket.score.name, ticket.schedule, ticket.steps, ticket.ablation) == ("magnitude", "one_shot", 1, "none")
    assert (ticket.scored_at, ticket.at, ticket.after, ticket.fresh_optimizer) == ("end", at, "continue", True)
    first, per_epoch = Moment(0, 352), 352
    k, t = Moment.parse(at, per_epoch), recipe.train
    anchored = max(ticket.min_lr, t.highest_lr_from(k, first, t.lr))
    for step in range(k.steps, t.epochs * per_epoch, 100):
        now = Moment(step, per_epoch)
        assert t.lr_at(now, k, anchored) == pytest.approx(t.lr_at(now, first, t.lr), rel=1e-12)


@pytest.mark.parametrize("scale", ["small", "cpu", "smoke"])
@pytest.mark.parametrize("part", ["fig5_1", "dynamic"])
def test_rewinding_goes_on_at_every_scale(part: str, scale: str) -> None:
    for recipe in cast("dict[str, Methods]", load_recipe(f"p2/{part}", scale).each()).values():
        ticket = recipe.methods["lottery ticket rewinding"]
        assert isinstance(ticket, MethodRecipe)
        assert ticket.at is not None
        rewound_as_imp_rewinds(recipe, str(ticket.at))


def test_figure_5_1_has_the_ways_to_spend_weights_over_training() -> None:
    (recipe,) = paper("fig5_1").values()
    assert list(recipe.methods) == [
        "random", "magnitude after training", "lottery ticket rewinding", "gradual magnitude",
    ]  # fmt: skip
    gradual = recipe.methods["gradual magnitude"]
    assert isinstance(gradual, MethodRecipe)
    assert (gradual.schedule, gradual.after, gradual.fresh_optimizer, gradual.at) == ("cubic", "continue", False, None)
    assert (gradual.steps, gradual.every, recipe.train.epochs) == (30, "2ep", 90)
    rewound_as_imp_rewinds(recipe, "5ep")
    kept = gradual.at_density(0.1).densities()
    assert kept[14] == pytest.approx(0.1 + 0.9 / 8)  # halfway an eighth of what goes is left: Zhu and Gupta's cubic


def test_dynamic_sparsity_is_what_section_6_2_2_lists() -> None:
    (recipe,) = paper("dynamic").values()
    first = paper("fig5_4")["ResNet-20, CIFAR-10"]
    assert (recipe.model, recipe.train, recipe.data) == (first.model, first.train, first.data)
    rigl, other = recipe.methods["RigL"], recipe.methods["SET"]
    assert isinstance(rigl, RegrowthMethodRecipe)
    assert isinstance(other, RegrowthMethodRecipe)
    assert (rigl.layers, rigl.grow, rigl.every, rigl.until, rigl.fraction) == ("erk", "gradient", "100it", 0.75, 0.3)
    assert other.at_density(0.1) == rigl.at_density(0.1).model_copy(update={"grow": "random"})
    plain = {"first": "imp", "grow": "imp", "overlap": None, "reinitialise": False}
    changes: dict[str, dict[str, object]] = {
        "": {},
        ", overlapping": {"overlap": 0.5},
        ", re-initialised": {"reinitialise": True},
        ", first random": {"first": "random"},
        ", first by magnitude": {"first": "magnitude"},
        ", grown by gradient": {"grow": "gradient"},
        ", grown at random": {"grow": "random"},
    }
    for name, change in changes.items():
        method = recipe.methods[f"dynamic IMP{name}"]
        assert isinstance(method, DynamicImpMethodRecipe)
        assert {key: getattr(method, key) for key in plain} == {**plain, **change}
        assert (method.switches, method.scope) == (("90ep",), "global")
    rewound_as_imp_rewinds(recipe, "2000it")
    gradual = recipe.methods["gradual magnitude"]
    assert isinstance(gradual, MethodRecipe)
    assert (gradual.schedule, gradual.steps, gradual.every) == ("cubic", 100, "400it")
