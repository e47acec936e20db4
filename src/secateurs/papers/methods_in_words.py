"""Methods of pruning for a person: what goes, by which score, in how many steps, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.core import Spec
from secateurs.papers import p0_early_periods
from secateurs.papers.dynamic_in_words import dynamic_parts
from secateurs.papers.p2_lottery_tickets import change
from secateurs.report.words import moment_name
from secateurs.studies.schema import DynamicMethod, MethodRecipe
from secateurs.studies.schema.method import AnyMethod, ChannelMethodRecipe

AFTER = {
    "replay": "the whole schedule is trained again after pruning",
    "continue": "the rest of the schedule is trained after pruning",
}
_SCOPES = {"layer": "the same share in each layer", "erk": "layer by layer (ERK)"}
_CHANNEL_SCORES = {
    "random": "at random",
    "uniform": "by their position",
    "crop_gate": "by CroP's gate",
    "crop_gate_eq6": "by CroP's gate as in its equation 6",
    "snap": "by SNAP's gate",
    "gate_decorators": "by the gates of Gate Decorators",
    "bn_scale": "by the scale of their batch norm",
    "filter_norm": "by the norm of their filter",
}
"""Scores of channels whose name does not say what they are; others lose their underscores."""


def in_words(method: AnyMethod, *, after: bool = False) -> str:
    """A method for a person; with ``after`` also what is trained after pruning.

    >>> in_words(MethodRecipe(score=Spec("snip", {"bn": "batch"}), schedule="exponential", ablation="shuffle"))
    'snip (bn batch), 100 exponential steps, shuffled within layers'
    >>> in_words(MethodRecipe(scored_at="end"), after=True)
    'magnitude, mask found at the end of training, the rest of the schedule is trained after pruning'
    >>> in_words(ChannelMethodRecipe(score=Spec("crop_gate"), when=Spec("early_crop", {"threshold": None})))
    "channels by CroP's gate, one shot, when the weights change by less than the density, by half the run"
    >>> in_words(ChannelMethodRecipe(schedule="rounds", steps=5, every="1ep", counted="channels"))
    'channels by the norm of their filter, counted in channels, in 5 rounds, 1 epoch of training before each'
    """
    return ", ".join(_parts(method, after))


def over_settings(methods: Sequence[AnyMethod], *, after: bool = False) -> str:
    """A method for a person that settings may change: what differs is said for each of them.

    >>> over_settings([MethodRecipe(at=0), MethodRecipe(at="3ep")])
    'magnitude, by setting: pruned at initialisation; or pruned at epoch 3'
    >>> over_settings([MethodRecipe(), MethodRecipe()])
    'magnitude'
    >>> over_settings([MethodRecipe(schedule="rounds", steps=n, every="1ep") for n in (1, 3, 5)])
    'magnitude, in 1, 3 or 5 rounds by setting, 1 epoch of training before each'
    """
    every = [list(_parts(method, after)) for method in methods]
    every = _rounds_together(methods, every)
    alike = [part for part in every[0] if all(part in parts for parts in every)]
    others = dict.fromkeys(", ".join(part for part in parts if part not in alike) for parts in every)
    if len(others) == 1:
        return ", ".join(every[0])
    told = "; or ".join(other or "nothing more" for other in others)
    return ", ".join([*alike, f"by setting: {told}"])


def _rounds_together(methods: Sequence[AnyMethod], every: list[list[str]]) -> list[list[str]]:
    """The parts of methods that differ in how many rounds they take, told as one."""
    static = [method for method in methods if not isinstance(method, DynamicMethod)]
    told = [(next(iter(_steps(method))), method.every) for method in static if method.every is not None]
    counts = sorted({len(method.at_density(0.1).densities()) for method in static})
    spans = {span for _, span in told}
    if len(told) < len(methods) or len(counts) < 2 or len(spans) > 1:
        return every
    names = {name for name, _ in told}
    span = _span(next(iter(span for span in spans if span is not None)))
    alike = f"in {' or '.join([', '.join(map(str, counts[:-1])), str(counts[-1])])} rounds by setting"
    alike += f", {span} of training before each"
    return [[alike if part in names else part for part in parts] for parts in every]


def _parts(method: AnyMethod, after: bool) -> Iterator[str]:
    if isinstance(method, DynamicMethod):
        yield from dynamic_parts(method)
        if after:
            yield "in the dense network's steps"
        return
    by_channels = isinstance(method, ChannelMethodRecipe)
    yield f"channels {_channel_score(method.score)}" if by_channels else _score(method.score)
    if isinstance(method, ChannelMethodRecipe):
        yield from _of_channels(method)
    if method.scope != "global":
        yield _SCOPES[method.scope]
    yield from _steps(method)
    if isinstance(method, MethodRecipe) and method.revive:
        yield "dropped weights may come back"
    if method.exclude:
        yield f"without {', '.join(method.exclude)}"
    if change(method):
        yield change(method)
    if method.scored_at is not None:
        yield f"{'channels' if by_channels else 'mask'} found at {_moment(method.scored_at)}"
    if method.at is not None:
        levels = isinstance(method, MethodRecipe) and method.levels is not None
        moment = _moment(method.at)
        yield f"rewound to {moment}" if levels else f"from {moment} on" if method.every else f"pruned at {moment}"
    if method.when is not None:
        yield when_in_words(method.when)
    if after:
        yield AFTER[method.after]


def _of_channels(method: ChannelMethodRecipe) -> Iterator[str]:
    if method.counted == "channels":
        yield "counted in channels"
    if method.minimum != 1:
        least = f"{method.minimum:.3g}" if method.minimum > 1 else f"{100 * method.minimum:.3g} %"
        yield f"at least {least} stay in each layer"
    if method.multiple_of > 1:
        yield f"in multiples of {method.multiple_of}"


def _steps(method: MethodRecipe | ChannelMethodRecipe) -> Iterator[str]:
    """In how many steps, rounds or levels."""
    if isinstance(method, MethodRecipe) and method.levels is not None:
        yield f"lottery ticket rewinding in {method.levels} levels, each trained to the end"
    elif method.every is not None:
        shape = "" if method.schedule in ("rounds", "linear", "one_shot") else f" ({method.schedule.replace('_', ' ')})"
        rounds = len(method.at_density(0.1).densities())
        count = "one round" if rounds == 1 else f"{rounds} rounds{shape}"
        yield f"in {count}, {_span(method.every)} of training before {'it' if rounds == 1 else 'each'}"
    elif method.schedule == "early_crop":
        yield f"EarlyCroP's steps, n = {method.steps}"
    elif method.schedule != "one_shot":
        yield f"{method.steps} {method.schedule} steps"
    elif isinstance(method, ChannelMethodRecipe):
        yield "one shot"


def _span(every: str | int) -> str:
    """A stretch of training.

    >>> _span("1ep"), _span(5), _span("100it"), _span("1ep10it")
    ('1 epoch', '5 epochs', '100 iterations', '1ep10it')
    """
    text = str(every)
    for unit, noun in (("ep", "epoch"), ("it", "iteration"), ("", "epoch")):
        number = text.removesuffix(unit) if unit and text.endswith(unit) else text
        if number.isdigit() and (unit == "" or text.endswith(unit)):
            return f"{number} {noun}" if number == "1" else f"{number} {noun}s"
    return text


def when_in_words(trigger: Spec) -> str:
    """When a method is pruned that a trigger tells it.

    >>> when_in_words(Spec("early_crop", {"threshold": 0.05}))
    'when the weights change by less than 0.05, by half the run'
    >>> when_in_words(Spec("peak", {"signal": "kl_uniform", "patience": 2}))
    'when its trigger fires (peak: signal kl_uniform, patience 2)'
    """
    options = {key: value for key, value in trigger.options.items() if value is not None}
    if trigger.name == "early_crop" and set(options) <= {"threshold"}:
        threshold = options.get("threshold", "the density")
        return f"when the weights change by less than {threshold}, by half the run"
    if trigger.name == "early_bird" and set(options) <= {"threshold", "no_later_than"}:
        said = f"when what would go hardly changes (mask distance at most {options.get('threshold', 0.1)})"
        return f"{said}, no later than {options['no_later_than']}" if "no_later_than" in options else said
    return f"when its trigger fires ({p0_early_periods.in_words(trigger)})"


def _channel_score(score: Spec) -> str:
    """A score of channels, with the options that are not the default ones."""
    usual = ChannelMethodRecipe(score=Spec(score.name)).score.options
    chosen = {key: value for key, value in score.options.items() if usual.get(key) != value}
    return _score(Spec(_CHANNEL_SCORES.get(score.name, f"by {score.name.replace('_', ' ')}"), chosen))


def _score(score: Spec) -> str:
    said = {key.replace("_", " "): value for key, value in score.options.items() if value not in (None, False)}
    shown = {key: f"{value:g}" if isinstance(value, float) else value for key, value in said.items()}
    told = [key if value is True else f"{key} {value}" for key, value in shown.items()]
    return f"{score.name} ({', '.join(told)})" if told else score.name


def _moment(moment: str | int) -> str:
    text = f"{moment}ep" if isinstance(moment, int) else moment
    return "the end of training" if text == "end" else "initialisation" if text == "0ep" else moment_name(text)
