"""Networks: ONNX files that say everything about themselves, checked before they are run.

`load_network` gives one that ships with the package, by name; `read_network` reads any file. Both check the file's
SHA-256 and its contents before the runtime sees a byte. Only this package imports onnxruntime, and only on first use.
"""

from __future__ import annotations

from hemato_lab.networks.card import NetworkCard
from hemato_lab.networks.runtime import WINDOW_STEP, Network, read_network
from hemato_lab.networks.shipping import load_network, model_sha256

__all__ = ["WINDOW_STEP", "Network", "NetworkCard", "load_network", "model_sha256", "read_network"]
