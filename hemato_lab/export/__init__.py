"""Writing an analysis to a file: one module and one line in `EXPORTERS` for each format."""

from hemato_lab.export.writing import EXPORTERS, WITH_IMAGES, render, suffix_of, write

__all__ = ["EXPORTERS", "WITH_IMAGES", "render", "suffix_of", "write"]
