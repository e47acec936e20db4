"""Names and options of channel scores: what the table knows, and what it refuses."""

from __future__ import annotations

import pytest
from gated_nets import N, example

from secateurs.core import PruningError, Spec
from secateurs.what import CHANNEL_SCORES, CHANNELS_WITHOUT_EXAMPLES, SCORES, channel_score, check_channel_score
from secateurs.what.channels.table import options_of
from secateurs.zoo import Classification
from toys import CLASSES, generator, unchanged

TASK = Classification(CLASSES)


@pytest.mark.parametrize("name", CHANNEL_SCORES)
def test_unknown_options_are_refused(name: str) -> None:
    model, _, groups = example("residual")
    for check in (
        lambda option: channel_score(model, groups=groups, name=name, **option),
        lambda option: check_channel_score(Spec(name, option), "what"),
    ):
        with pytest.raises(PruningError, match=rf"channel score '{name}' has no option 'reviev'; choices: "):
            check({"reviev": True})
    for option in (
        {"reduce": "add"},
        {"absolute": "within"},
        {"bn": "both"},
        {"micro_batch": 0},
        {"members": "some"},
        {"convs_only": "no"},
    ):
        if set(option) <= set(options_of(name)):
            with pytest.raises(PruningError, match=rf"^recipe: {name}: {next(iter(option))}: "):
                check_channel_score(Spec(name, option), "recipe")
    check_channel_score(Spec(name), "what")


def test_every_weight_score_has_its_place() -> None:
    assert set(SCORES) <= set(CHANNEL_SCORES)
    assert set(CHANNEL_SCORES) >= CHANNELS_WITHOUT_EXAMPLES


def test_unknown_names() -> None:
    model, _, groups = example("residual")
    with pytest.raises(PruningError, match=r"^unknown channel score 'snapp'; choices: .*did you mean 'snap'\?"):
        channel_score(model, groups=groups, name="snapp")
    with pytest.raises(PruningError, match=r"^p: unknown channel score 'crop'; choices: "):
        check_channel_score(Spec("crop"), "p")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fisher", {"absolute": "outside"}, "fisher: absolute='outside' needs a sign, and this score has none"),
        ("snip", {"absolute": "filter", "reduce": "max"}, "absolute='filter' is about sums: pass reduce='sum' or"),
        ("gradient_flow", {"reduce": "max"}, "absolute='outside' is about sums: .* or absolute='inside'"),
        ("snap", {"absolute": "filter"}, "snap: absolute: there is no 'filter'; choices: inside, outside"),
        ("snap", {"absolute": "outside", "reduce": "norm"}, "snap: absolute='outside' is about sums"),
        ("filter_norm", {"depthwise": "false"}, "filter_norm: depthwise: expected true or false, got 'false'"),
        ("snip", {"convs_only": 1}, "snip: convs_only: expected true or false, got 1"),
        ("filter_norm", {"order": 3}, "filter_norm: order: expected 1 or 2, got 3"),
        ("crop_gate_eq6", {"hessian": "layer"}, "crop_gate_eq6: hessian: there is no 'layer'; choices: group, network"),
        ("grasp", {"temperature": 0.0}, "grasp: temperature: expected a positive number, got 0"),
    ],
)
def test_options_that_make_no_sense(name: str, options: dict[str, object], message: str) -> None:
    model, data, groups = example("residual")
    with unchanged(model), pytest.raises(PruningError, match=message):
        channel_score(model, TASK, data.batches(N), groups, name=name, **options)
    with pytest.raises(PruningError, match=message):
        check_channel_score(Spec(name, options), "")
    if name != "grasp":
        with unchanged(model), pytest.raises(PruningError, match=message):
            CHANNEL_SCORES[name](model, TASK, data.batches(N), groups, generator=generator(), **options)
