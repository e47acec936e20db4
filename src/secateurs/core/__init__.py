"""The vocabulary: every type that more than one room speaks of is named here, once.

Nothing in this room computes anything about pruning; it says what a batch, a moment, a score, a
signal, a trigger and a training state *are*, and how an error tells its remedy.
"""

from secateurs.core.callables import (
    Log,
    Observation,
    Observer,
    ScoreFn,
    Scores,
    Signal,
    SignalState,
    Spec,
    Trigger,
    TriggerState,
    version_of,
)
from secateurs.core.errors import (
    DataError,
    ExportError,
    JobError,
    MeasureError,
    PruningError,
    RecipeError,
    SecateursError,
    SignalError,
    StoreError,
    TrainingError,
    did_you_mean,
)
from secateurs.core.groups import Group, Keep, Member, Padding
from secateurs.core.model import evaluating, plain_attention, prunable
from secateurs.core.moment import Moment
from secateurs.core.numbers import all_finite
from secateurs.core.randomness import derive_seed, generator_for
from secateurs.core.state import TrainState, under
from secateurs.core.tasks import Batch, Classifies, Distribution, Examples, Factored, Predicts, Task

__all__ = [
    "Batch",
    "Classifies",
    "DataError",
    "Distribution",
    "Examples",
    "ExportError",
    "Factored",
    "Group",
    "JobError",
    "Keep",
    "Log",
    "MeasureError",
    "Member",
    "Moment",
    "Observation",
    "Observer",
    "Padding",
    "Predicts",
    "PruningError",
    "RecipeError",
    "ScoreFn",
    "Scores",
    "SecateursError",
    "Signal",
    "SignalError",
    "SignalState",
    "Spec",
    "StoreError",
    "Task",
    "TrainState",
    "TrainingError",
    "Trigger",
    "TriggerState",
    "all_finite",
    "derive_seed",
    "did_you_mean",
    "evaluating",
    "generator_for",
    "plain_attention",
    "prunable",
    "under",
    "version_of",
]
