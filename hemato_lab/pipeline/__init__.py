"""From a smear to its analysis; the only package that knows all the steps."""

from hemato_lab.pipeline.steps import analyze

__all__ = ["analyze"]
