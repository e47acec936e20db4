"""Recipes: what is wrong is said with file, path, choices and nearest match; what is right is complete."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from secateurs.core import RecipeError, Spec
from secateurs.studies import EarlyPeriods, check, load_recipe, shipped
from secateurs.studies.merging import merge
from secateurs.studies.recipe import parse_overrides, scales_of
from secateurs.studies.yaml_text import read_yaml
from secateurs.train import Adam, Cosine
from secateurs.what import SCORES, fisher
from secateurs.when import SIGNALS, TRIGGERS, At, FisherTrace, any_of, default_trigger, early_crop_trigger
from secateurs.zoo import DATASETS, MODELS, digits_resnet

Make = Callable[..., EarlyPeriods]


def choices(names: Any) -> str:
    return "choices: " + ", ".join(sorted(names))


def options(part: Callable[..., Any]) -> set[str]:
    """What a recipe may say of a part: its parameters, less those that the program fills in."""
    given = {"input_shape", "num_classes", "model", "task", "batches", "names", "mask", "generator"}
    return set(inspect.signature(part).parameters) - given


TRAIN = "augment, batch_size, channels_last, clip_norm, drop_last, epochs, label_smoothing, lr, optimizer, precision, "
TRAIN = f"choices: {TRAIN}schedule, temperature, warm_up"

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
    "train.augment=flip": "train.augment: expected 'none', 'shift' or 'flip_crop', got 'flip'",
    "prune.scope=locl": "prune.scope: expected 'global', 'layer' or 'erk', got 'locl'",
    "study=x": "study: unknown kind 'x'; choices: early_periods, methods, regret",
    # shapes
    "train=3": "train: expected a mapping of keys, got 3",
    "train=null": "train: is missing",
    "model=[1]": "model: expected a mapping of keys, got [1]",
    "moments=3": "moments: expected a list, got 3",
    "signals=3": "signals: expected a list, got 3",
    "triggers=[1]": "triggers: expected a mapping, got [1]",
    "prune.exclude=fc": "prune.exclude: expected a list, got 'fc'",
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
    "triggers={a: {name: any_of, of: 3}}": "triggers.a.of: expected a list, got 3",
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


# ------------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize("text", ["train.lr", "", "=3", ".lr=1", "train..lr=1", "train.=1"])
def test_overrides_of_another_form(text: str) -> None:
    message = f"recipe demo: override {text!r} is not of the form key.path=value"
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_recipe("demo", "smoke", [text])


@pytest.mark.parametrize("text", ["train={lr: 1, lr: 2}", "train.lr=[1", "train.lr=a: b: c", "title='"])
def test_overrides_that_are_no_yaml(text: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(f"override {text!r}, line ") + r"\d+: not valid YAML: "):
        load_recipe("demo", "smoke", [text])


def test_overrides_are_laid_on_one_another() -> None:
    found = parse_overrides(["train.lr=0.3", "train.epochs=4", "train.lr=0.5", "title=a=b", "seeds=[1, 2]"], "x")
    assert found == {"train": {"lr": 0.5, "epochs": 4}, "title": "a=b", "seeds": [1, 2]}
    made = load_recipe("demo", "smoke", ["train.lr=5e-1", "train.optimizer.name=adam", "train.schedule.name=cosine"])
    assert made.train.lr == 0.5
    assert made.train.optimizer == Adam()  # of another optimiser nothing is left
    assert made.train.schedule == Cosine()


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"name": "p", "x": 1}}, {"a": {"name": "q"}}, {"a": {"name": "q"}}),
        ({"a": {"name": "p", "x": 1}}, {"a": {"name": "p", "z": 2}}, {"a": {"name": "p", "x": 1, "z": 2}}),
        ({"a": "p"}, {"a": {"x": 1}}, {"a": {"name": "p", "x": 1}}),
        ({"a": "p"}, {"a": {"name": "q", "x": 1}}, {"a": {"name": "q", "x": 1}}),
        ({"a": {"x": 1}}, {"a": "p"}, {"a": "p"}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({}, {}, {}),
    ],
)
def test_merging(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]) -> None:
    kept = repr((base, over))
    assert merge(base, over) == merged
    assert repr((base, over)) == kept


# ----------------------------------------------------------------------------------------- files


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
        ("study: late\nscales: {small: {}}", "study: unknown kind 'late'; choices: early_periods, methods, regret"),
        (
            "base: demo\nstudy: late\nscales: {demo: {}}",
            "study: unknown kind 'late'; choices: early_periods, methods, regret",
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


def test_a_key_that_is_merged_in_may_be_said_again() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc: {<<: *b, y: 4}\nd: [{x: 1}, {x: 2}]"
    assert read_yaml(text, "here") == {**yaml.safe_load(text), "c": {"x": 3, "y": 4}}


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


def test_null_takes_away_what_lies_below() -> None:
    recipe = load_recipe("demo", "smoke", ["triggers.peak of tr(F)=null", "triggers.peak of KL-uniform=null"])
    assert list(recipe.triggers) == ["halfway"]
    only = load_recipe("demo", "smoke", ["triggers=null", "signals=[kl_uniform]"])
    assert only.triggers == {}


@pytest.mark.parametrize("override", ["prune.density=0.3", "prune={density: 0.3}"])
def test_an_override_that_a_setting_hides_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match=r"override prune.density: the setting '80 % sparsity' says it too"):
        load_recipe("p0/fig5", "smoke", [override])
    assert load_recipe("p0/fig5", "smoke", ["train.lr=0.3"]).train.lr == 0.3


@pytest.mark.parametrize("option", ["moment=9ep", "no_later_than=9ep"])
def test_a_trigger_beyond_the_run_is_refused(option: str) -> None:
    key = option.split("=")[0]
    with pytest.raises(RecipeError, match=rf"triggers.halfway.{key}: 9ep lies outside the run of 4 epochs"):
        load_recipe("demo", "smoke", [f"triggers.halfway.{option}"])


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


# ------------------------------------------------------------------------------ triggers of a run


def test_triggers_that_follow_from_the_run(recipe: Make) -> None:
    options = {"name": "any_of", "of": ["early_crop", {"name": "at", "moment": "100%"}]}
    made = recipe(
        train={"epochs": 8},
        signals=["weight_change", "mask_distance"],
        triggers={"middle": {"name": "at", "moment": "10%"}, "either": options, "usual": "default", "dice": "random"},
    )
    assert made.trigger("middle") == At("1ep")
    assert made.trigger("either") == any_of(early_crop_trigger(0.3, 8), At("8ep"))
    assert made.trigger("usual") == default_trigger(epochs=8)
    assert len({made.trigger("dice", seed) for seed in range(40)}) == 8
    assert check(made.model_dump(mode="json"), "again") == made


def test_a_run_that_does_not_suit_a_trigger(recipe: Make) -> None:
    change = {
        "train": {"epochs": 1},
        "moments": [0],
        "signals": ["weight_change"],
        "triggers": {"middle": "early_crop"},
    }
    with pytest.raises(RecipeError, match=r"triggers\.middle: early_crop_trigger: density must lie in .*epochs=1"):
        recipe(**change)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("judged=[ResNett]", "judged: no setting 'ResNett'; choices: LeNet-300-100, ResNet; did you mean 'ResNet'?"),
        (
            "settings.ResNet.triggers.early={name: at, moment: 0}",
            "settings.ResNet.triggers: triggers are compared over all settings: say them once, outside",
        ),
        ("judged=3", "judged: expected a list, got 3"),
    ],
)
def test_faults_of_the_regret_benchmark(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("benchmarks/when", "smoke", [override])
    assert str(caught.value) == f"recipe benchmarks/when: {message}"
