"""Two readings of one smear side by side: cells, statistics, findings, candidates and text.

For Research Use Only. Not for use in diagnostic procedures.
"""

from hemato_lab.comparison.comparing import compare
from hemato_lab.comparison.model import Comparison

__all__ = ["Comparison", "compare"]
