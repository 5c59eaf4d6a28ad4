"""Judges: they assign a reward to a completion."""

from __future__ import annotations

#: The checkpoint used if the user names none.
DEFAULT_CHECKPOINT = "openbmb/UltraRM-13b"
#: The judge used if the user names none.
DEFAULT_JUDGE = "ultrarm"
#: The judge that inspects the checkpoint to find the judge that supports it.
AUTO_JUDGE = "auto"
