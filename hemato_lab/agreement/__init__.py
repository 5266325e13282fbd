"""Whether two readers agree: matching of cells, method-comparison statistics, the regression gate.

For Research Use Only. Not for use in diagnostic procedures.
"""

from typing import Final

DEFAULT_GATE: Final = 1.0
"""How far apart the centres of one cell may lie in two readings, in radii of a red cell (DOMAIN.md section 7)."""
