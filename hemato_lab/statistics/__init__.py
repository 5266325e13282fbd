"""From cells to numbers with limits: counting rule, densities, concentrations, heat maps.

Statistics take cells, field sizes and a scale; they know nothing of how cells were found.
"""

from hemato_lab.statistics.estimates import Assumptions
from hemato_lab.statistics.features import STATISTICS, StatisticsResult, feature_statistics

__all__ = ["STATISTICS", "Assumptions", "StatisticsResult", "feature_statistics"]
