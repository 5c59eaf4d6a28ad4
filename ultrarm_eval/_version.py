"""The installed version."""

from __future__ import annotations

import importlib.metadata

__version__ = importlib.metadata.version("ultrarm-eval")
