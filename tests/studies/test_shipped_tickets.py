"""The recipes of P2 chapters 3 and 4: they validate and plan at every scale, and say what text and tables print."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from secateurs.core import Moment, Spec
from secateurs.jobs import Serial, Store, run
from secateurs.studies import Sweep, load_recipe, plan, shipped
from secateurs.studies import recipe as recipes
from secateurs.studies.recipe import scales_of
from secateurs.studies.schema.tickets import Tickets
from secateurs.studies.tickets.plan import TicketsPlan
from stand_ins import device_of, load

recipe_of = cache(recipes._file)
NAMES = [name for name in shipped() if recipe_of(name).study == "tickets"]
EVERY = [(name, scale) for name in NAMES for scale in scales_of(name)]
FIGURES = {f"fig3_{n}" for n in range(1, 10)} | {f"fig4_{n}" for n in range(2, 34)}  # 4-1 is a diagram
RESNETS = ("ResNet-20, CIFAR-10", "ResNet-20 low, CIFAR-10", "ResNet-20 warm-up, CIFAR-10")
VGGS = ("VGG-16, CIFAR-10", "VGG-16 low, CIFAR-10", "VGG-16 warm-up, CIFAR-10")
CONVS = ("Conv-4, CIFAR-10", "Conv-6, CIFAR-10", "Conv-8, CIFAR-10")
STUDIES = ("p2/fig3_3", "p2/fig4_13", "p2/fig4_15")
"""Recipes that the others are laid on, and the one that says most of its own."""
LENET, IMAGENET = "LeNet, MNIST", ("ResNet-50, ImageNet", "Inception-v3, ImageNet")


@pytest.fixture(autouse=True)
def _files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "_file", recipe_of)


@pytest.fixture
def _no_download_and_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "load_data", load)
    monkeypatch.setattr(plan, "check_precision", lambda *_: None)


def at(name: str, scale: str = "paper") -> dict[str, Tickets]:
    return cast("dict[str, Tickets]", load_recipe(f"p2/{name}", scale).each())


def few(recipe: Tickets) -> Tickets:
    """One seed, the first and last moments, two factors of dilation: others only add jobs."""
    ends = tuple(dict.fromkeys((recipe.rewind[0], recipe.rewind[-1])))
    dilation = recipe.dilation.model_copy(update={"factors": recipe.dilation.factors[:2]})
    return recipe.model_copy(update={"seeds": (0,), "rewind": ends, "dilation": dilation})


def keys(recipe: Tickets, label: str, device: str = "cuda") -> set[str]:
    return {job.key for job in TicketsPlan(few(recipe), device, label).graph().jobs}


def test_every_figure_and_table_has_its_recipe() -> None:
    assert set(NAMES) == {f"p2/{part}" for part in (*FIGURES, "table4_1", "table4_2")}
    titles = [recipe_of(name).common["title"] for name in NAMES]
    assert len(set(titles)) == len(titles)
    for name in NAMES:
        chapter, number = name.removeprefix("p2/").removeprefix("fig").removeprefix("table").split("_")
        what = f"table {chapter}.{number}" if "table" in name else f"figure {chapter}-{number}"
        assert recipe_of(name).common["figure"] == f"P2, {what}"
        assert re.match(rf"# P2 {what}[:,]", shipped()[name].read_text(encoding="utf-8"))


@pytest.mark.usefixtures("_no_download_and_any_device")
@pytest.mark.parametrize(("name", "scale"), EVERY, ids=str)
def test_it_validates_and_plans(name: str, scale: str) -> None:
    recipe = load_recipe(name, scale)
    assert isinstance(recipe, Tickets)
    for label, one in recipe.each().items():
        assert not any("." in each for each in (label, *one.tickets)), "an override could not name it"
        assert scale == "paper" or not one.reported, "other networks, or shorter runs, than those reported"
        assert one.band == ("range" if "fig3_" in name else "deviation")
        if name not in STUDIES and label != next(iter(recipe.each())):
            continue  # is planned where it comes from
        made = TicketsPlan(few(one), device_of(name, scale), label)
        jobs = Counter(job.name for job in made.graph().jobs)
        cells, compared = made.cells(), one.instability
        assert jobs["dense_run"] == 1
        assert {cell.ticket for cell in cells} == {"dense", *one.tickets}
        assert {cell.ticket for cell in cells if cell.compared} == set(compared.of)
        assert {cell.level for cell in cells if cell.throughout} <= {0, *compared.levels}
        assert bool(jobs["throughout_run"]) == (name in ("p2/fig4_5", "p2/fig4_21"))
        assert any(cell.dilated for cell in cells) == (name == "p2/fig3_9")
        for ticket in one.tickets:
            assert {cell.level for cell in cells if cell.ticket == ticket} == set(one.levels_of(ticket))


@pytest.mark.usefixtures("_no_download_and_any_device")
@pytest.mark.parametrize("scale", ["paper", "cpu"])
@pytest.mark.parametrize(
    ("part", "study"),
    [("fig3_8", "fig3_7"), ("fig4_2", "fig4_3")]
    + [(f"fig4_{n}", "fig4_3") for n in (6, 7, 8, 31, 32)]
    + [(f"fig4_{n}", "fig4_15") for n in (3, 9, 10, 11, 12, 14, 16, 17, 19, 20, 22, 23, 24, 25, 26, 33)]
    + [(f"table4_{n}", "fig4_15") for n in (1, 2)],
)
def test_what_several_figures_show_is_run_once(part: str, study: str, scale: str) -> None:
    whole = at(study, scale)
    for label, one in at(part, scale).items():
        if label in ("", LENET if part == "fig3_8" else RESNETS[0]):
            assert keys(one, label) <= keys(whole[label], label), label


@pytest.mark.usefixtures("_no_download_and_any_device")
def test_studies_of_a_chapter_share_what_they_can() -> None:
    shot, random, ablated, dilated = (keys(at(f"fig3_{n}", "cpu")[""], "") for n in (3, 5, 7, 9))
    chain = shot & random & ablated & dilated
    assert len(chain) == 1 + 1 + 2 * 12  # the dense run, its start, and twelve masks and runs of IMP
    assert len(random & ablated) > len(chain)  # global random pruning
    third, fourth = at("fig3_3"), at("table4_1")
    for label in (LENET, RESNETS[0]):  # chapter 4 begins with the dense runs of chapter 3
        dense = [TicketsPlan(few(settings[label]), "cuda", label).dense[0].key for settings in (third, fourth)]
        assert dense[0] == dense[1]


def test_networks_are_trained_as_in_table_4_1() -> None:
    for part in ("fig3_3", "fig4_15", "table4_1", "table4_2"):
        settings = at(part)
        assert settings.keys() >= {LENET, *RESNETS, *VGGS}
        lenet = settings[LENET]
        assert lenet.model == Spec("lenet_300_100", {"hidden": (300, 100)})
        assert (lenet.train.batch_size, lenet.train.lr, lenet.train.schedule.name) == (60, 1.2e-3, "constant")
        assert (lenet.train.optimizer.name, lenet.train.augment, lenet.train.warm_up) == ("adam", "none", 0)
        assert lenet.train.epochs * 54_000 / 60 == pytest.approx(24_000, rel=0.02)
        for label in (*RESNETS, *VGGS):
            t, model = settings[label].train, settings[label].model
            resnet = label in RESNETS
            assert model.name == ("resnet20" if resnet else "vgg16")
            assert model.options["bn_scale"] == "uniform"
            assert model.options.get("shortcut") == ("B" if resnet else None)
            assert (t.epochs * 352, t.batch_size, t.augment) == (63_008, 128, "flip_crop")
            assert t.schedule.model_dump() == {"name": "step", "milestones": ("32000it", "48000it"), "gamma": 0.1}
            assert t.optimizer.model_dump()["weight_decay"] == 1e-4
            assert t.warm_up == ("30000it" if "warm-up" in label else 0)
            assert t.lr == (0.01 if "low" in label else 0.03 if "warm-up" in label and resnet else 0.1)
            assert t.precision == "float32"
        for label, recipe in settings.items():  # the output layer of LeNet, VGG and the Convs is left alone
            last = {"LeNet": ("5",), "VGG-16": ("fc",), "Conv-4": ("15",), "Conv-6": ("20",), "Conv-8": ("25",)}
            assert recipe.prune.exclude == last.get(re.split("[ ,]", label)[0], ())
            assert (recipe.prune.score.name, recipe.prune.scope) == ("magnitude", "global")


def test_networks_on_imagenet_are_trained_as_in_table_4_1() -> None:
    fifty, inception = (at("fig4_15")[label] for label in IMAGENET)
    t = fifty.train
    assert (t.epochs, t.batch_size, t.lr, t.warm_up) == (90, 1024, 0.4, 5)
    assert t.schedule.model_dump() == {"name": "step", "milestones": (30, 60, 80), "gamma": 0.1}
    assert fifty.data.options | {"root": "imagenet", "size": 256, "crop": 224} == fifty.data.options
    t = inception.train
    assert (t.epochs, t.batch_size, t.lr, t.warm_up) == (171, 1024, 0.03, 0)
    start, end = Moment(0, 10), Moment(1710, 10)
    assert [t.lr_at(now, start, t.lr) for now in (start, end)] == pytest.approx([0.03, 0.005])
    assert inception.data.options | {"size": 341, "crop": 299} == inception.data.options
    assert inception.model.name == "inception_v3"
    for recipe in (fifty, inception):
        assert (recipe.level_densities, recipe.levels_of("IMP"), recipe.instability.levels) == ((0.3,), (1,), (1,))


def test_chapter_3_is_run_as_in_the_paper() -> None:
    settings = at("fig3_3")
    assert tuple(settings) == (LENET, *CONVS, *RESNETS, *VGGS)
    assert {*at("fig3_4"), *at("fig3_6")} == {*RESNETS, *VGGS}
    assert tuple(at("fig3_8")) == (LENET, *CONVS)
    assert {*at("fig3_1"), *at("fig3_2")} == {LENET}
    for label, recipe in settings.items():
        assert (len(recipe.seeds), recipe.levels, recipe.rate, recipe.rewind) == (5, 20, 0.2, (0,))
        assert (recipe.looks is None) == (recipe.train.schedule.name != "constant")
        if label in CONVS:
            t = recipe.train
            assert (t.lr, t.batch_size, t.optimizer.name, t.augment) == (3e-4, 60, "adam", "none")
            assert recipe.model == Spec(label[:6].lower().replace("-", "_"), {"width": 64})
            assert t.epochs * 750 == {"Conv-4, CIFAR-10": 25_500}.get(label, 30_000)
    told = {
        name: (t.search, t.weights, t.shuffled)
        for part in (3, 5, 7)
        for name, t in at(f"fig3_{part}")[LENET].tickets.items()
    }
    assert told == {
        "IMP": ("iterative", "rewound", False),
        "one-shot IMP": ("one_shot", "rewound", False),
        "LRR": ("iterative", "trained", False),
        "global random": ("random", "redrawn", False),
        "random re-initialisation": ("iterative", "redrawn", False),
        "layer-wise random": ("iterative", "redrawn", True),
    }
    shown = [100 * at("fig3_1")[LENET].density(level) for level in at("fig3_2")[LENET].levels_of("IMP")]
    assert shown == pytest.approx([51.2, 21.0, 6.9, 2.8, 1.8], abs=0.05)
    for recipe in at("fig3_9").values():
        assert recipe.dilation.factors == pytest.approx([0.1 * tenths for tenths in range(2, 22)])
        assert recipe.dilation.levels == recipe.levels_of("IMP")


PRINTED = {  # table 4.2: full, IMP, random pruning, random re-initialisation; table 4.1: density
    LENET: ([98.3, 98.2, 96.7, 97.5], 3.5),
    RESNETS[0]: ([91.7, 88.5, 88.6, 88.8], 16.8),
    RESNETS[1]: ([88.8, 89.0, 85.7, 84.7], 8.6),
    RESNETS[2]: ([89.7, 89.6, 85.7, 85.6], 8.6),
    VGGS[0]: ([93.7, 90.9, 89.4, 91.0], 1.5),
    VGGS[1]: ([91.7, 91.6, 90.1, 90.2], 5.5),
    VGGS[2]: ([93.4, 93.2, 90.1, 90.7], 1.5),
    IMAGENET[0]: ([76.1, 73.7, 73.1, 73.4], 30),
    IMAGENET[1]: ([78.1, 75.7, 75.2, 75.5], 30),
}


def test_table_4_2_is_in_print() -> None:
    settings = at("table4_2")
    assert settings.keys() == PRINTED.keys()
    for label, (accuracies, density) in PRINTED.items():
        recipe = settings[label]
        rows = {row.ticket: row for row in recipe.reported}
        assert list(rows) == [None, "IMP", "random pruning", "random re-initialisation"]
        assert [100 * row.accuracy for row in rows.values()] == pytest.approx(accuracies)
        (level,) = recipe.levels_of("IMP")
        assert recipe.rewind == (0,)
        (reported,) = {row.density for row in recipe.reported[1:]}
        assert reported == pytest.approx(recipe.density(level), rel=0.01)  # which is how the report finds it
        assert 100 * recipe.density(level) == pytest.approx(density, abs=0.06)
        (dense,) = at("table4_1")[label].reported
        assert 100 * dense.accuracy == pytest.approx(accuracies[0])


def test_chapter_4_is_run_as_in_the_paper() -> None:
    for label, recipe in at("fig4_15").items():
        compared = recipe.instability
        assert (len(recipe.seeds), compared.copies, compared.points) == (3, 3, 30)
        assert recipe.matching_within == 0.002
        steps = {Moment.parse(k, 352).steps for k in recipe.rewind}
        if label in (*RESNETS, *VGGS):
            assert steps >= {0, 500, 1000, 2000}
        assert {5, 18} <= set(recipe.rewind) or label != IMAGENET[0]
        assert {6, 28} <= set(recipe.rewind) or label != IMAGENET[1]
        told = {name: (t.search, t.weights, t.shuffled) for name, t in recipe.tickets.items()}
        assert told == {
            "IMP": ("iterative", "rewound", False),
            "random pruning": ("iterative", "rewound", True),
            "random re-initialisation": ("iterative", "redrawn", False),
        }
    for part in ("fig4_4", "fig4_5", "fig4_18", "fig4_21"):
        assert tuple(at(part)) == (RESNETS[0], VGGS[0])
    for recipe in at("fig4_4").values():
        assert recipe.instability.after == ("continue", "replay")
    for part, network in (("fig4_27", RESNETS[0]), ("fig4_28", RESNETS[0]), ("fig4_29", VGGS[0]), ("fig4_30", VGGS[0])):
        assert tuple(at(part)) == (network,)
    whole = at("fig4_18")
    for label, least in ((RESNETS[0], 0.134), (VGGS[0], 0.012)):  # down to where IMP matches no more
        assert whole[label].levels_of("IMP") == whole[label].instability.levels
        assert whole[label].density(whole[label].depth) < least
    for recipe in at("fig4_13").values():
        assert recipe.instability.of == ()
        assert recipe.levels_of("IMP") == tuple(range(1, recipe.depth + 1))
        assert recipe.rewind_of("random pruning") == (0,)


@pytest.mark.parametrize("part", ["fig4_21", "fig3_9"])
def test_it_runs_at_smoke_scale(part: str, tmp_path: Path) -> None:
    """Between them: states, masks, runs, comparisons at the end and on the way, dilated runs."""
    sweep = Sweep(load_recipe(f"p2/{part}", "smoke", ["seeds=[0]"]))
    store, graph = Store(tmp_path / "store"), sweep.graph()
    run(graph, store, Serial()).raise_for_failures()
    (made,) = sweep.plans(TicketsPlan).values()
    done = {job.name for job in graph.jobs}
    if part == "fig4_21":
        assert done == {"dense_run", "state_at", "ticket_mask", "ticket_run", "compared_run", "throughout_run"}
        cells = [cell for cell in made.cells() if cell.ticket == "IMP"]
        assert all(cell.throughout is not None and store.entry(cell.throughout).done for cell in cells)
    else:
        lengths = {factor: job.cost for cell in made.cells() for factor, job in cell.dilated.items()}
        assert lengths == {0.5: 1, 1.0: 2, 1.5: 3}
    for cell in made.cells():
        assert 0 <= store.entry(cell.run).summary["test_accuracy"] <= 1


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of 10 training and 2 test images of their own shade."""
    random, root = np.random.default_rng(0), tmp_path / "imagenet"
    for part, number in (("train", 10), ("val", 2)):
        for label in range(2):
            (root / part / f"n{label}").mkdir(parents=True)
            for i in range(number):
                shades = random.integers(0, 120, (90, 80, 3)) + 100 * label
                Image.fromarray(shades.astype(np.uint8)).save(root / part / f"n{label}" / f"{i}.jpg")
    return root


@pytest.mark.parametrize("label", IMAGENET)
def test_imagenet_s_networks_run_from_a_folder_of_images(label: str, pictures: Path, tmp_path: Path) -> None:
    """The recipe's own network, stem and loading of data, narrower and on smaller images."""
    small = {"root": pictures, "size": 82 if "Inception" in label else 40, "crop": 76 if "Inception" in label else 32}
    said = [
        *(f"settings.{label}.data.{name}={value}" for name, value in small.items()),
        f"settings.{label}.data.validation=4",
        f"settings.{label}.model.width=2",
        f"settings.{label}.train.epochs=1",
        f"settings.{label}.train.batch_size=8",
        f"settings.{label}.train.warm_up=0",
        f"settings.{label}.rewind=[1it]",
        *(f"settings.{other}=null" for other in PRINTED if other != label),
        "tickets={random pruning: null, random re-initialisation: null}",
        "instability={copies: 2, of: [IMP], points: 2}",
        "seeds=[0]",
    ]
    sweep = Sweep(load_recipe("p2/fig4_15", "paper", said))
    store = Store(tmp_path / "store")
    run(sweep.graph(), store, Serial()).raise_for_failures()
    (made,) = sweep.plans(TicketsPlan).values()
    (cell,) = (cell for cell in made.cells() if cell.ticket == "IMP")
    assert made.steps_per_epoch == 2
    summary = store.entry(cell.run).summary
    assert summary["diverged"] is None
    assert summary["density"] == pytest.approx(0.3, abs=1e-3)
    assert 0 <= store.entry(cell.compared["continue"][0]).summary["test_instability"] <= 1
