"""What all results of a comparison can do: be a table, and be drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

    from hemato_lab.agreement.estimate import Estimate


class Row(NamedTuple):
    """One figure of a result, as a row of a table; NaN where it is undefined."""

    figure: str
    value: float
    low: float
    high: float
    unit: str
    method: str


def row(figure: str, estimate: Estimate, unit: str = "") -> Row:
    """Return an estimate as a row."""
    return Row(figure, estimate.value, estimate.low, estimate.high, unit, estimate.method)


class Tabulated(ABC):
    """A result whose figures are rows of a table."""

    __slots__ = ()

    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """Return the figures with their limits, the most important first."""

    def to_frame(self) -> pd.DataFrame:
        """Return the figures as a DataFrame with the columns of `Row`."""
        import pandas as pd

        return pd.DataFrame(list(self.rows()), columns=list(Row._fields))
