from __future__ import annotations

from tests.analysed import analysis, checked_analysis, empty_analysis, hostile_analysis

__all__ = ["analysis", "checked_analysis", "empty_analysis", "hostile_analysis"]
