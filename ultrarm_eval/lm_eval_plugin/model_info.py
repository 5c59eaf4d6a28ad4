"""What the ``config`` section of the harness's results says of a judge that was used as a model."""

from __future__ import annotations

from typing import Any

from ultrarm_eval._version import __version__
from ultrarm_eval.judges.base import Judge, statement
from ultrarm_eval.lm_eval_plugin.processes import JudgeCounts
from ultrarm_eval.runs.judge_identity import OF_COMPUTING

# Keys of the results' configuration that the harness sets.
_OF_HARNESS = ("model", "model_args")


def model_info(judge: Judge, name: str, counts: JudgeCounts) -> dict[str, Any]:
    """The judge's settings, fingerprint and counts.

    Args:
        judge: The judge.
        name: Its name.
        counts: Its counts, of all processes.
    """
    settings = dict(judge.settings())
    # The harness records the requested device under "device".
    used = {"device_used": settings.pop("device", None)}
    settings.pop("counts", None)
    if "scoring_seconds" in settings:
        settings["scoring_seconds"] = counts.seconds()
    of_run = {"judge_counts": counts.counts()}
    names = {
        "model_num_parameters": settings.pop("parameters", None),
        "model_dtype": settings.get("dtype"),
        "model_revision": settings.get("revision"),
        "model_sha": settings.pop("weights_digest", None),
    }
    said = judge.settings()
    own = {key: value for key, value in said.items() if key not in OF_COMPUTING}
    identity = {
        "judge_settings": own,
        **statement(judge),
        "fingerprint": _known_fingerprint(judge),
    }
    version = {"ultrarm_eval_version": __version__}
    for key in _OF_HARNESS:
        settings.pop(key, None)
    about = {"judge": name, **used, **names, **of_run, **identity, **version}
    return {**settings, **about}


def _known_fingerprint(judge: Judge) -> str | None:
    """The fingerprint of the rewards; None if that would mean reading many gigabytes."""
    known = getattr(judge, "known_fingerprint", None)
    fingerprint = judge.fingerprint() if known is None else known()
    return None if fingerprint is None else str(fingerprint)
