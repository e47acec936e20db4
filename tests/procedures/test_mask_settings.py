"""How a mask is found, as settings: what is left out follows from the score, what does not go together is refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from secateurs.core import PruningError, Spec
from secateurs.how import DENSITIES
from secateurs.procedures import ITERATED, MaskSettings, PruneSettings
from secateurs.procedures.settings import Schedule

SEVERAL = [name for name in get_args(Schedule) if name != "one_shot"]


@pytest.mark.parametrize(
    ("given", "schedule", "steps"),
    [
        ({}, "one_shot", 1),
        ({"score": "random"}, "one_shot", 1),
        ({"score": "synflow"}, "exponential", 100),
        ({"score": Spec("synflow"), "steps": 20}, "exponential", 20),
        ({"score": "synflow", "schedule": "one_shot"}, "one_shot", 1),
        ({"score": "synflow", "schedule": "linear"}, "linear", 100),
        ({"schedule": "exponential"}, "exponential", 100),
        ({"schedule": "early_crop"}, "early_crop", 5),
        ({"schedule": "early_crop", "steps": 3}, "early_crop", 3),
        ({"schedule": None, "steps": None}, "one_shot", 1),
        ({"schedule": "harmonic", "steps": 2}, "harmonic", 2),
    ],
)
def test_what_is_left_out_follows_from_the_score(given: dict[str, Any], schedule: str, steps: int) -> None:
    for settings in (MaskSettings(**given), PruneSettings(**given)):
        assert (settings.schedule, settings.steps) == (schedule, steps)
        assert settings.model_dump()["schedule"] == schedule
        assert settings.model_dump()["steps"] == steps
        for mode in ("python", "json"):
            assert type(settings).model_validate(settings.model_dump(mode=mode)) == settings
        assert type(settings).model_validate_json(settings.model_dump_json()) == settings
        assert settings.densities()[-1] == settings.density
        assert len(settings.densities()) == (steps + 2 if schedule == "early_crop" else steps)


def test_a_score_s_own_number_of_steps_goes_with_its_own_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ITERATED, "toy", ("linear", 7))
    for options, expected in (({}, 7), ({"schedule": "linear"}, 7), ({"schedule": "cubic"}, 100), ({"steps": 3}, 3)):
        assert MaskSettings(score="toy", **options).steps == expected  # type: ignore[arg-type]


def test_every_schedule_has_its_function() -> None:
    for name in get_args(Schedule):
        expected = DENSITIES[name](0.1) if name == "one_shot" else DENSITIES[name](0.1, 4)
        assert MaskSettings(schedule=name, steps=1 if name == "one_shot" else 4).densities() == expected
    assert {schedule for schedule, _ in ITERATED.values()} <= set(SEVERAL)


CHOICES = "linear, exponential, early_crop, cubic, harmonic, rounds"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 3}, f"schedule one_shot has 1 step, got 3: choose prune.schedule among {CHOICES}"),
        ({"schedule": "one_shot", "steps": 2, "score": "synflow"}, "schedule one_shot has 1 step, got 2"),
        ({"schedule": "linear", "steps": 0}, "greater than 0"),
        ({"schedule": "linear", "steps": 2.5}, "steps"),
        ({"schedule": "imp"}, "Input should be 'one_shot', 'linear', 'exponential'"),
        ({"revive": True}, f"in one_shot nothing can come back: choose prune.schedule among {CHOICES}"),
        ({"revive": True, "schedule": "linear"}, "score 'magnitude' cannot say what a dropped weight is worth"),
        ({"score": Spec("snip", {"revive": True})}, "set prune.revive, not prune.score.revive"),
        ({"score": Spec("snip", {"reviev": True})}, "score 'snip' has no option 'reviev'; choices: "),
        (
            {"score": Spec("grasp", {"micro_batch": 4})},
            "grasp: micro_batch: expected at least 1 and bn='running', got 4",
        ),
        ({"score": Spec("obd", {"probes": 0})}, "obd: probes: expected at least 1, got 0"),
        ({"invert": "perhaps"}, "invert"),
        ({"min_lr": 0.1}, "min_lr"),  # that is no part of finding a mask
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PruningError) as refused:
        MaskSettings(**given)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).startswith("MaskSettings: ")


def test_one_fault_is_told_once() -> None:
    with pytest.raises(PruningError) as refused:
        MaskSettings(score=3, schedule="sideways", steps=4, revive=True)  # type: ignore[arg-type]
    assert [line.split(": ")[1].split(".")[0] for line in str(refused.value).splitlines()] == ["score", "schedule"]
