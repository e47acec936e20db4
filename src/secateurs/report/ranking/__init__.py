"""The report of the regret benchmark: triggers ranked over many settings by what they lose, and what they cost."""

from secateurs.report.ranking.cluster import cluster_interval, cluster_mean
from secateurs.report.ranking.page import render_ranking, write_ranking_report
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.sentences import summary
from secateurs.report.ranking.sides import Side, rank, sides
from secateurs.report.ranking.standing import InSetting, Standing, difference
from secateurs.report.ranking.tables import COLUMNS, tables
from secateurs.report.ranking.terminal import show_ranking

__all__ = [
    "COLUMNS",
    "InSetting",
    "RankingStudy",
    "Side",
    "Standing",
    "cluster_interval",
    "cluster_mean",
    "difference",
    "rank",
    "render_ranking",
    "show_ranking",
    "sides",
    "summary",
    "tables",
    "write_ranking_report",
]
