"""What tests in the browser share."""

from tests.analysed import analysis
from tests.browser.chromium import chromium, page

__all__ = ["analysis", "chromium", "page"]
