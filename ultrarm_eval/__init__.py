"""Reward models as judges for evaluation harnesses.

Importing this package loads neither torch nor a harness; the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ultrarm_eval.checkpoints.decoder_reward_model import LlamaRewardModel
    from ultrarm_eval.documents.document import Document
    from ultrarm_eval.documents.preference import load_documents
    from ultrarm_eval.errors import UltrarmEvalError
    from ultrarm_eval.hookspecs import hookimpl
    from ultrarm_eval.judges.base import Judge, Judgement
    from ultrarm_eval.judges.loading import load_judge
    from ultrarm_eval.sources.source import PairSource

__all__ = [
    "Document",
    "Judge",
    "Judgement",
    "LlamaRewardModel",
    "PairSource",
    "UltrarmEvalError",
    "hookimpl",
    "load_documents",
    "load_judge",
]

#: What a later release may change of each public name.
STABILITY = {
    "Document": "stable; releases may add fields, so pass arguments by name",
    "Judge": "stable",
    "Judgement": "stable; releases may add fields, so pass arguments by name",
    "LlamaRewardModel": "stable",
    "PairSource": "stable; releases may add fields, so pass arguments by name",
    "UltrarmEvalError": "stable; releases may add classes that derive from it",
    "hookimpl": "stable",
    "load_documents": "stable; releases may add keyword arguments",
    "load_judge": "stable; releases may add keyword arguments",
}

_LAZY = {
    "Document": "ultrarm_eval.documents.document",
    "Judge": "ultrarm_eval.judges.base",
    "Judgement": "ultrarm_eval.judges.base",
    "LlamaRewardModel": "ultrarm_eval.checkpoints.decoder_reward_model",
    "PairSource": "ultrarm_eval.sources.source",
    "UltrarmEvalError": "ultrarm_eval.errors",
    "hookimpl": "ultrarm_eval.hookspecs",
    "load_documents": "ultrarm_eval.documents.preference",
    "load_judge": "ultrarm_eval.judges.loading",
    "__version__": "ultrarm_eval._version",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
