"""What recipes of every kind say, and the named parts that they are made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from secateurs.core import Moment, Spec
from secateurs.studies.faults import lines
from secateurs.studies.merging import merge, without_nulls
from secateurs.studies.parts import Part
from secateurs.studies.schema.pruning import ScorePart
from secateurs.train import Settings, TrainSettings
from secateurs.train.frozen import readable_moment
from secateurs.when import SIGNALS, TRIGGERS, signal_of, trigger_of
from secateurs.when.named import COMBINATIONS, MOMENTS, OF_THE_RUN
from secateurs.zoo import DATASETS, MODELS

ModelPart = Annotated[Spec, Part(MODELS, given=("input_shape", "num_classes"))]
DataPart = Annotated[Spec, Part(DATASETS)]
SignalPart = Annotated[Spec, Part(SIGNALS, build=signal_of, nested={"score": ScorePart})]
_BOUNDS = {"no_earlier_than": (str | int | None, None), "no_later_than": (str | int | None, None)}


def _for_any_run(spec: Spec) -> object:
    """The trigger for a run made up: whether it accepts its options does not hang on the run."""
    return trigger_of(spec, epochs=100, density=0.1)


def _trigger_part(depth: int) -> Part:
    """A trigger; ``any_of`` and ``all_of`` hold others, so many deep."""
    table = TRIGGERS if depth else {name: made for name, made in TRIGGERS.items() if name not in COMBINATIONS}
    inner: Any = Annotated[Spec, _trigger_part(depth - 1)] if depth else None
    nested = {"of": Annotated[tuple[inner, ...], Field(min_length=1)]} if depth else {}
    return Part(table, given=OF_THE_RUN, extra=_BOUNDS, build=_for_any_run, nested=nested)


TriggerPart = Annotated[Spec, _trigger_part(2)]

END = "end"
MomentOrEnd = Annotated[int | str, BeforeValidator(lambda value: value if value == END else readable_moment(value))]
"""A moment as a person writes it, or ``"end"``: the run's end."""

Growth = Literal["free", "labels", "prefix"]
"""How a field may change between two recipes that are one study: as one likes; labels come and go, and what stands
under those that stay is the same; one list is the beginning of the other."""


def no_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values as they are.

    Raises:
        ValueError: when one stands twice.

    >>> no_repeats((0, 1, 0))
    Traceback (most recent call last):
    ...
    ValueError: says something twice: 0, 1, 0
    """
    if len(set(values)) < len(values):
        raise ValueError(f"says something twice: {', '.join(map(str, values))}")
    return values


def no_moment_twice(moments: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The moments as they are; ``12`` and ``"12ep"`` are one.

    Raises:
        ValueError: when one stands twice.
    """
    if len({f"{moment}ep" if isinstance(moment, int) else moment for moment in moments}) < len(moments):
        raise ValueError(f"says something twice: {', '.join(map(str, moments))}")
    return moments


def outside(moment: str | int | None, epochs: int) -> str | None:
    """What is wrong with a moment that can be seen to lie outside a run, else None.

    Moments in steps are judged when the plan is made: how many steps an epoch has follows from the data.
    Shares of the run, ``"10%"``, are judged as they are read.

    >>> outside("9ep", 4)
    '9ep lies outside the run of 4 epochs'
    """
    told = str(moment)
    if moment is None or moment == END or "it" in told or "%" in told or Moment.parse(moment, 1).steps <= epochs:
        return None
    return f"{moment} lies outside the run of {epochs} epochs"


def outside_the_run(path: str, trigger: Spec, epochs: int) -> Iterator[str]:
    """What is wrong with the moments that a trigger, or one within it, names, each with its path.

    >>> list(outside_the_run("when", Spec("at", {"moment": "9ep"}), 4))
    ['when.moment: 9ep lies outside the run of 4 epochs']
    """
    for option in MOMENTS:
        if fault := outside(trigger.options.get(option), epochs):
            yield f"{path}.{option}: {fault}"
    for place, inner in enumerate(trigger.options.get("of", ())):
        yield from outside_the_run(f"{path}.of.{place}", inner, epochs)


class StudyRecipe(Settings):
    """A recipe of any kind. A kind adds its own fields, a default for ``study``, and :meth:`faults`.

    Attributes:
        study: the kind.
        title, figure: for people; in no job's key.
        model, data, train: the network, what it learns, and how.
        seeds: each is a run's seed of initial weights, of data order and of pruning at once.
        checkpoint_every: epochs between two checkpoints of a dense run.
        threads: of torch's operations, in each worker.
        settings: variants by label, each a change that is laid on the recipe.
    """

    laid: ClassVar[Mapping[str, str]] = {}
    """Fields that hold changes by label, and the field that each of these is laid on; ``settings`` need not be said."""

    for_all: ClassVar[frozenset[str]] = frozenset({"settings"})
    """Fields that speak of all settings, so that none of these has them."""

    grows: ClassVar[Mapping[str, Growth]] = dict.fromkeys(("title", "figure", "seeds"), "free")
    """By dotted paths, what may be other in a recipe that is run into the folder of an earlier one, as the same study:
    what asks for more of the same, or for less, and what nothing that is trained follows from."""

    study: str
    title: str
    figure: str = ""
    model: ModelPart
    data: DataPart
    train: TrainSettings
    seeds: tuple[int, ...] = Field(min_length=1)
    checkpoint_every: int = Field(10, gt=0)
    threads: int = Field(1, gt=0)
    settings: dict[str, dict[str, Any]] = Field({})

    _no_seed_twice = field_validator("seeds")(no_repeats)

    @abstractmethod
    def faults(self) -> Iterator[str]:
        """What does not fit together, one line each: ``moments: 9 lies outside the run of 4 epochs``."""

    def as_compared(self) -> dict[str, Any]:
        """The recipe in JSON as it is compared with another, without ``settings`` and what has no effect."""
        return self.model_dump(mode="json", exclude={"settings"})

    def each(self) -> dict[str, Self]:
        """The recipe of each setting by its label; a recipe without ``settings`` is its only one, under ``""``."""
        return {label: self._with(change) for label, change in self.settings.items()} or {"": self}

    def _with(self, change: Mapping[str, Any]) -> Self:
        # What was filled in is left out: it may follow from what the change says (SynFlow's schedule, for one).
        changed = merge(self.model_dump(mode="json", exclude=set(self.for_all), exclude_unset=True), change)
        return type(self).model_validate(without_nulls(changed, self.laid))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = list(self.faults()) or list(self._faults_of_settings())
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults_of_settings(self) -> Iterator[str]:
        for label, change in self.settings.items():
            if "settings" in change:
                yield f"settings.{label}: settings cannot hold settings"
            elif change.get("study", self.study) != self.study:
                yield f"settings.{label}.study: the settings of a recipe are of one kind, {self.study}"
            else:
                try:
                    self._with(change)
                except ValidationError as error:
                    yield from (f"settings.{label}.{line}" for line in lines(error, type(self)))
