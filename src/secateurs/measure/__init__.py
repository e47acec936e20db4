"""Measures of networks: how good, how alike, how dear; none leaves a trace on what it measures."""

from secateurs.measure.barrier import Barrier, Recalibration, error_barrier, lmc
from secateurs.measure.batches import Data
from secateurs.measure.batchnorm import bn_statistics, keeps_statistics
from secateurs.measure.correlation import pearson
from secateurs.measure.costs import Costs, Emissions, costs, emissions
from secateurs.measure.differences import Distances, distances, l2_distance
from secateurs.measure.evaluate import evaluate
from secateurs.measure.resampling import bootstrap_cka, bootstrap_lmc
from secateurs.measure.similarity import CKA_SAMPLES, cka, cka_matrix, outputs
from secateurs.measure.states import State

__all__ = [
    "CKA_SAMPLES",
    "Barrier",
    "Costs",
    "Data",
    "Distances",
    "Emissions",
    "Recalibration",
    "State",
    "bn_statistics",
    "bootstrap_cka",
    "bootstrap_lmc",
    "cka",
    "cka_matrix",
    "costs",
    "distances",
    "emissions",
    "error_barrier",
    "evaluate",
    "keeps_statistics",
    "l2_distance",
    "lmc",
    "outputs",
    "pearson",
]
