"""Recipes: what is wrong is said with file, path, choices and nearest match; what is right is complete."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from secateurs.core import RecipeError, Spec
from secateurs.studies import EarlyPeriods, check, load_recipe, shipped
from secateurs.what import SCORES, fisher
from secateurs.when import SIGNALS, TRIGGERS, FisherTrace
from secateurs.zoo import DATASETS, MODELS, digits_resnet

Make = Callable[..., EarlyPeriods]


def choices(names: Any) -> str:
    return "choices: " + ", ".join(sorted(names))


def options(part: Callable[..., Any]) -> set[str]:
    """What a recipe may say of a part: its parameters, less those that the program fills in."""
    given = {"input_shape", "num_classes", "model", "task", "batches", "names", "mask", "generator"}
    return set(inspect.signature(part).parameters) - given


TRAIN = "augment, batch_size, channels_last, clip_norm, drop_last, epochs, label_smoothing, lr, optimizer, precision, "
TRAIN = f"choices: {TRAIN}sam, schedule, temperature, warm_up"

FAULTS: dict[str, str] = {
    # numbers
    "train.lr=fast": "train.lr: expected a number, got 'fast'",
    "train.lr=-1": "train.lr: expected a number greater than 0.0, got -1",
    "train.lr=.nan": "train.lr: expected a finite number, got nan",
    "train.lr=.inf": "train.lr: expected a finite number, got inf",
    "train.lr={x: 1}": "train.lr: expected a number, got {'x': 1}",
    "train.epochs=1.5": "train.epochs: expected a whole number, got 1.5",
    "train.epochs=0": "train.epochs: expected a number greater than 0, got 0",
    "prune.density=0": "prune.density: expected a number greater than 0.0, got 0",
    "prune.density=1.5": "prune.density: expected a number of at most 1.0, got 1.5",
    "prune.density=.nan": "prune.density: expected a finite number, got nan",
    "prune.density=much": "prune.density: expected a number, got 'much'",
    "model.width=wide": "model.width: expected a whole number, got 'wide'",
    "threads=0": "threads: expected a number greater than 0, got 0",
    "seeds=[a]": "seeds.0: expected a whole number, got 'a'",
    # keys
    "train.lrr=1": f"train.lrr: unknown key; {TRAIN}; did you mean 'lr'?",
    "train.optimizer.momentun=1": "train.optimizer.momentun: unknown key; "
    "choices: decay_norms_and_biases, momentum, nesterov, weight_decay; did you mean 'momentum'?",
    "train.schedule={gama: 1}": "train.schedule.gama: unknown key; choices: gamma; did you mean 'gamma'?",
    "model={name: digits_resnet, widht: 3}": f"model.widht: unknown key; {choices(options(digits_resnet))}; "
    "did you mean 'width'?",
    "prune.score={name: fisher, x: 1}": f"prune.score.x: unknown key; {choices(options(fisher))}",
    "signals=[{name: fisher_trace, sampels: 1}]": f"signals.0.sampels: unknown key; {choices(options(FisherTrace))}; "
    "did you mean 'samples'?",
    "triggers={a: {name: peak}}": "triggers.a.signal: is missing",
    "train.schedule={name: step}": "train.schedule.milestones: is missing",
    # names
    "model=resnet8": f"model: unknown name 'resnet8'; {choices(MODELS)}; did you mean 'resnet18'?",
    "data=digit": f"data: unknown name 'digit'; {choices(DATASETS)}; did you mean 'digits'?",
    "prune.score={name: snip, bn: batch, micro_batch: 4}": "prune.score: snip: micro_batch: expected at least 1 and "
    "bn='running', got 4 and bn='batch': statistics of parts of a batch are not those of the batch",
    "prune.score={name: grasp, temperature: 0}": "prune.score: grasp: temperature: expected a positive number, got 0.0",
    "prune.score={name: obd, probes: 0}": "prune.score: obd: probes: expected at least 1, got 0",
    "signals=[{name: mask_distance, score: {name: obd, probes: 0}}]": "signals.0: mask_distance: obd: probes: expected "
    "at least 1, got 0",
    "prune.score=magnitud": f"prune.score: unknown name 'magnitud'; {choices(SCORES)}; did you mean 'magnitude'?",
    "signals=[fisher_trac]": f"signals.0: unknown name 'fisher_trac'; {choices(SIGNALS)}; did you mean 'fisher_trace'?",
    "signals=[{samples: 3}]": "signals.0: expected a name, or a mapping with one, got {'samples': 3}; "
    f"{choices(SIGNALS)}",
    "triggers={a: {name: peek}}": f"triggers.a: unknown name 'peek'; {choices(TRIGGERS)}; did you mean 'peak'?",
    "train.optimizer=adm": "train.optimizer: unknown name 'adm'; choices: adam, adamw, sgd; did you mean 'adam'?",
    "train.schedule=cosin": "train.schedule: unknown name 'cosin'; "
    "choices: constant, cosine, exponential, linear, one_cycle, step; did you mean 'cosine'?",
    "train.augment=flip": "train.augment: expected 'none', 'shift', 'flip_crop' or 'flip_crop_rotate', got 'flip'",
    "prune.scope=locl": "prune.scope: expected 'global', 'layer' or 'erk', got 'locl'",
    "study=x": "study: unknown kind 'x'; choices: advice, early_periods, importance, methods, regimes, regret, tickets",
    # shapes
    "train=3": "train: expected a mapping of keys, got 3",
    "train=null": "train: is missing",
    "model=[1]": "model: expected a mapping of keys, got [1]",
    "moments=3": "moments: expected a list, got 3: say [3]",
    "signals=3": "signals: expected a list, got 3: say [3]",
    "triggers=[1]": "triggers: expected a mapping, got [1]",
    "prune.exclude=fc": "prune.exclude: expected a list, got 'fc': say [fc]",
    "title=3": "title: expected text, got 3",
    "moments=[]": "moments: expected at least 1, got []",
    "seeds=[]": "seeds: expected at least 1, got []",
    # moments and seeds
    "moments=[0, 99]": "moments: 99 lies outside the run of 4 epochs",
    "moments=[99ep]": "moments: 99ep lies outside the run of 4 epochs",
    "moments=[soon]": "moments.0: moment 'soon' is not understood: write '12ep', '500it' or '12ep50it'",
    "moments=[1.5]": "moments.0: a moment is written 12, '12ep' or '500it', got 1.5",
    "moments=[0, 0]": "moments: says something twice: 0, 0",
    "moments=[1, 1ep]": "moments: says something twice: 1, 1ep",
    "seeds=[3, 3]": "seeds: says something twice: 3, 3",
    # signals and triggers
    "signals=[loss]": "triggers.peak of tr(F): needs signal 'fisher_trace'; choices: loss\n"
    "recipe demo: triggers.peak of KL-uniform: needs signal 'kl_uniform'; choices: loss",
    "signals=[loss, fisher_trace, kl_uniform, loss]": "signals: says something twice: "
    "loss, fisher_trace, kl_uniform, loss",
    "signals=[{name: fisher_trace, samples: 1}]": "signals.0: fisher_trace: samples must be at least 2 and batch_size "
    "at least 1",
    "triggers={a: {name: peak, signal: los}}": "triggers.a: needs signal 'los'; "
    "choices: fisher_trace, kl_uniform, loss; did you mean 'loss'?",
    "triggers={a: {name: at, moment: soon}}": "triggers.a: At(moment='soon'): moment 'soon' is not understood: "
    "write '12ep', '500it' or '12ep50it'",
    "triggers={a: {name: peak, signal: loss, patience: 0}}": "triggers.a: Peak(signal='loss', patience=0, "
    "min_drop=0.02, smoothing=1, warm_up=1): patience: expected a finite number of at least 1, got 0",
    "triggers={a: {name: peak, signal: loss, no_later_than: x}}": "triggers.a: At(moment='x'): moment 'x' is not "
    "understood: write '12ep', '500it' or '12ep50it'",
    "triggers={a: {name: at, moment: 101%}}": "triggers.a: moment: '101%' is no share of the run: write one from 0% to "
    "100%",
    "triggers={a: {name: early_crop, density: 0.1}}": "triggers.a.density: unknown key; choices: no_earlier_than, "
    "no_later_than, threshold",
    "triggers={a: early_bird}": "triggers.a: needs signal 'mask_distance'; choices: fisher_trace, kl_uniform, loss",
    "triggers={a: {name: any_of}}": "triggers.a.of: is missing",
    "triggers={a: {name: any_of, of: []}}": "triggers.a.of: expected at least 1, got []",
    "triggers={a: {name: any_of, of: 3}}": "triggers.a.of: expected a list, got 3: say [3]",
    "triggers={a: {name: any_of, of: [{name: at, moment: 0}, {name: below, signal: loss}]}}": "triggers.a.of.1."
    "threshold: is missing",
    "triggers={a: {name: all_of, of: [{name: any_of, of: [{name: at, moment: 9}]}]}}": "triggers.a.of.0.of.0.moment: "
    "9 lies outside the run of 4 epochs",
    "triggers={a: {name: any_of, of: [{name: peak, signal: los}, random]}}": "triggers.a: needs signal 'los'; "
    "choices: fisher_trace, kl_uniform, loss; did you mean 'loss'?",
    "triggers={grid: {name: at, moment: 1ep}}": "triggers.grid: that is what the moments are called: give the trigger "
    "another name",
    # settings
    "settings={a: {train: {lr: fast}}}": "settings.a.train.lr: expected a number, got 'fast'",
    "settings={a: {settings: {}}}": "settings.a: settings cannot hold settings",
    "settings={a: 3}": "settings.a: expected a mapping, got 3",
}


@pytest.mark.parametrize("override", FAULTS)
def test_a_fault_is_told_exactly(override: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", "smoke", [override])
    assert str(caught.value) == f"recipe demo: {FAULTS[override]}"


def test_all_faults_are_told_at_once() -> None:
    wrong = ["train.lr=fast", "trian=3", "prune.density=2", "model=resnet8", "moments=[0, 0]"]
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", "smoke", wrong)
    told = str(caught.value).splitlines()
    assert len(told) == 5
    assert all(line.startswith("recipe demo: ") for line in told)
    paths = {line.split(": ")[1] for line in told}
    assert paths == {"train.lr", "trian", "prune.density", "model", "moments"}


def test_triggers_read_signals_of_one_value(recipe: Make) -> None:
    layers = {"name": "gradient_norms", "layerwise": True}
    with pytest.raises(RecipeError, match=r"triggers\.a: signal 'gradient_norms' has one value a layer"):
        recipe(signals=[layers], triggers={"a": {"name": "peak", "signal": "gradient_norms"}})
    assert recipe(signals=[layers, "gradient_norms"], triggers={"a": {"name": "peak", "signal": "gradient_norm"}})


# ---------------------------------------------------------------------------------- what is right


def test_everything_that_was_left_out_is_there(recipe: Make) -> None:
    made = recipe(
        model="digits_resnet", signals=["fisher_trace", "loss"], triggers={"a": {"name": "peak", "signal": "loss"}}
    )
    assert made.model.name == "digits_resnet"
    assert made.model.options.keys() == options(digits_resnet)
    assert (made.model.options["width"], made.model.options["stages"], made.model.options["blocks"]) == (16, 2, 1)
    assert made.signals[0].options.keys() == options(FisherTrace)
    assert (made.signals[0].options["samples"], made.signals[0].options["batch_size"]) == (512, 128)
    assert made.triggers["a"].options["patience"] == 2
    assert made.triggers["a"].options["no_later_than"] is None
    assert made.prune.score == Spec("magnitude", {"unit_variance": False})
    assert made.data.options["enlarge"] == 1


@pytest.mark.parametrize("changes", [{}, {"model": "resnet20", "prune": {"score": "fisher"}}, {"settings": {"a": {}}}])
def test_a_recipe_survives_being_written_down(recipe: Make, changes: dict[str, Any]) -> None:
    made = recipe(**changes)
    plain = yaml.safe_load(yaml.safe_dump(made.model_dump(mode="json")))
    assert check(plain, "again") == made


def test_settings_are_the_recipe_with_a_change(recipe: Make) -> None:
    made = recipe(settings={"low": {"train": {"lr": 0.01}}, "as it is": {}, "adam": {"train": {"optimizer": "adam"}}})
    each = made.each()
    assert list(each) == ["low", "as it is", "adam"]
    assert each["as it is"] == recipe()
    assert each["low"] == recipe(train={"lr": 0.01})
    assert each["adam"] == recipe(train={"optimizer": "adam"})
    assert recipe().each() == {"": recipe()}


def test_shipped_recipes_are_all_found() -> None:
    names = shipped()
    assert "demo" in names
    assert {f"p0/fig{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9)} <= set(names)
    assert all(path.is_file() for path in names.values())


def test_a_setting_that_changes_the_score_gets_that_score_s_schedule() -> None:
    recipe = load_recipe("demo", "smoke", ["settings={flow: {prune: {score: synflow}}, plain: {}}"])
    assert [(each.prune.schedule, each.prune.steps) for each in recipe.each().values()] == [
        ("exponential", 100),
        ("one_shot", 1),
    ]


def test_revival_is_said_of_the_pruning_not_of_the_score() -> None:
    with pytest.raises(RecipeError, match=r"prune.score.revive: unknown key"):
        load_recipe("demo", "smoke", ["prune.score={name: snip, revive: true}"])
    chosen = ["prune.score=snip", "prune.schedule=linear", "prune.revive=true"]
    assert load_recipe("demo", "smoke", chosen).prune.revive
