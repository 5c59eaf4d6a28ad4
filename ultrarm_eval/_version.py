"""The installed version."""

from __future__ import annotations

import importlib.metadata

#: The installed version, as text.
__version__ = importlib.metadata.version("ultrarm-eval")
