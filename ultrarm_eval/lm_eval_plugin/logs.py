"""Our log lines, shown as the harness shows its own."""

from __future__ import annotations

import logging


def show_as_harness_does() -> None:
    """Gives this package's logger the handlers and level of the harness's, where it has any."""
    harness, ours = logging.getLogger("lm_eval"), logging.getLogger("ultrarm_eval")
    if harness.handlers and not ours.handlers:
        ours.setLevel(harness.level)
        ours.propagate = False
        for handler in harness.handlers:
            ours.addHandler(handler)
