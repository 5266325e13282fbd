"""Writing an analysis to a file: one module and one line in `EXPORTERS` for each format."""

from hemato_lab.export.writing import EXPORTERS, render, write

__all__ = ["EXPORTERS", "render", "write"]
