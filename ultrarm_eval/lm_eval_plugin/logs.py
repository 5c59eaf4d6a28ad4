"""Shows our log lines like the harness's own."""

from __future__ import annotations

import logging


def show_as_harness_does() -> None:
    """Gives this package's logger the handlers and level of the harness's logger, if it has any."""
    harness, ours = logging.getLogger("lm_eval"), logging.getLogger("ultrarm_eval")
    if harness.handlers and not ours.handlers:
        ours.setLevel(harness.level)
        ours.propagate = False
        for handler in harness.handlers:
            ours.addHandler(handler)
