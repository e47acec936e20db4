"""The vocabulary: every type that more than one room speaks of is named here, once.

Nothing in this room computes anything about pruning; it says what a batch, a moment, a score, a
signal, a trigger and a training state *are*, how an error tells its remedy, and by which rules on plain
numbers a subnetwork is judged.
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
from secateurs.core.matching import (
    MATCHING_WITHIN,
    STABLE_BELOW,
    SparsityRange,
    early_stopping,
    first_from,
    is_matching,
    least_dilation,
    median_step,
    sparsity_range,
)
from secateurs.core.model import evaluating, plain_attention, prunable
from secateurs.core.moment import Moment
from secateurs.core.numbers import all_finite
from secateurs.core.randomness import derive_seed, generator_for
from secateurs.core.state import TrainState, under
from secateurs.core.tasks import Batch, Classifies, Distribution, Examples, Factored, Predicts, Task

__all__ = [
    "MATCHING_WITHIN",
    "STABLE_BELOW",
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
    "SparsityRange",
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
    "early_stopping",
    "evaluating",
    "first_from",
    "generator_for",
    "is_matching",
    "least_dilation",
    "median_step",
    "plain_attention",
    "prunable",
    "sparsity_range",
    "under",
    "version_of",
]
