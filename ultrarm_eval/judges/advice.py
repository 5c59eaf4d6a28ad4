"""Explains what a rejected checkpoint is, and which judge supports it.

An error names a judge only if that judge supports the checkpoint, so that following the advice
never ends in the same error.
"""

from __future__ import annotations

import re

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint, open_surveyed
from ultrarm_eval.checkpoints.classifier_families import stated_labels
from ultrarm_eval.checkpoints.known_kinds import architectures, recognised
from ultrarm_eval.checkpoints.named_head import NamedHead, head_files, heads_behind_body
from ultrarm_eval.checkpoints.network import built, described
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_models import why_unread
from ultrarm_eval.checkpoints.unread_weights import head_of_a_kind
from ultrarm_eval.errors import CheckpointError, OtherKindError, OwnCodeError
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.plugins import registry
from ultrarm_eval.settings import LANGUAGE_MODEL_LAYOUTS

_HEADS = ("regression_head.weight", "score.weight", "classifier.weight", "lm_head.weight")
_LANGUAGE_MODEL = "likelihood"
_UNKNOWN_HEAD = "It has weights after its body that no supported type of reward model has."
_REWARD_MODEL = re.compile(r"reward|(^|[-_.])rm([-_.]|$)")


def open_for(survey: Survey, architecture: Architecture) -> Checkpoint:
    """Opens a checkpoint as one type; if it has another type, the error names the judge for it.

    Args:
        survey: Its small files.
        architecture: The type of checkpoint.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.checkpoint.open_checkpoint`.
    """
    try:
        return open_surveyed(survey, architecture)
    except OtherKindError as error:
        raise CheckpointError(f"{error} {advice(survey, str(error))}") from error
    except OwnCodeError as error:
        # The type is right, but the checkpoint may need its own code.
        if architecture.recognises(survey) or not recognised(survey):
            raise
        raise CheckpointError(f"{error} {advice(survey)}") from error


def unrecognised(survey: Survey) -> str:
    """Why `judge=auto` finds no judge for a checkpoint, and what to do.

    Args:
        survey: Its small files.
    """
    name, config, keys = survey.name, survey.values, survey.keys
    heads = [head for head in _HEADS if head in keys]
    found = {
        "model_type": config.get("model_type"),
        "architectures": config.get("architectures"),
        "num_labels": stated_labels(config),
        "heads among its weights": heads or None,
    }
    plugins = registry()
    others = sorted(judge for judge in plugins.judges if not plugins.is_ours(judge))
    by_others = (
        f" Judges of other packages: {', '.join(others)}; choose one with judge=NAME."
        if others
        else ""
    )
    return (
        f"{name}: judge={AUTO_JUDGE} does not recognize this checkpoint. Found: "
        f"{', '.join(f'{key} {value}' for key, value in found.items())}. "
        f"{advice(survey)}{by_others}"
    )


def takers(survey: Survey) -> list[str]:
    """The judges that support a checkpoint; `likelihood` stands for all language model judges.

    Args:
        survey: Its small files.
    """
    found: dict[str, str] = {}
    for judge, kind in architectures().items():
        if not kind.only_recognised and _why_refused(survey, kind) is None:
            # Judges of one type differ only in their settings: the first of them stands for all.
            found.setdefault(kind.known_as, judge)
    return sorted(found.values(), key=lambda judge: judge == _LANGUAGE_MODEL)


def advice(survey: Survey, said: str = "") -> str:
    """Explains in sentences what a checkpoint is, and which judge supports it.

    Args:
        survey: Its small files.
        said: The existing text of the message, which is not repeated.
    """
    keys = survey.keys
    unread = why_unread(survey)
    if unread is not None:
        return f"This is {unread}. No judge of this package supports it."
    kinds = recognised(survey)
    head = head_of_a_kind(keys)
    if head is not None and all(kind.is_general for kind in kinds.values()):
        return f"This is {head}. {_advice_on_head(survey)}"
    files = [] if kinds else head_files(survey)
    if files:
        return f"Its value head is in a separate file, {files[0]}. {_advice_on_head(survey)}"
    if len(kinds) == 1:
        ((judge, kind),) = kinds.items()
        refusal = _why_refused(survey, kind)
        if refusal is not None and kind.is_general and _nameable_heads(survey):
            return f"{_UNKNOWN_HEAD} {_advice_on_head(survey)}"
        if refusal is not None and refusal == said:
            return "No judge of this package supports it."
        if refusal is not None:
            return (
                f"No judge of this package supports it; {judge}, the judge for such models, "
                f"reports: {refusal}"
            )
    judges = list(kinds) or takers(survey)
    if judges and judges != [_LANGUAGE_MODEL]:
        kind = architectures()[judges[0]]
        named = kind.said_of(survey) if kind.recognises(survey) else ""
        return f"judge={judges[0]} supports this checkpoint{f' ({named})' if named else ''}."
    if not judges and "lm_head.weight" in keys and not any(head in keys for head in _HEADS[:-1]):
        return (
            "Its weights are those of a language model, but no judge of this package supports the "
            "model that its config.json describes."
        )
    if not judges:
        if _nameable_heads(survey):
            return f"{_UNKNOWN_HEAD} {_advice_on_head(survey)}"
        heads = [head for head in _HEADS if head in keys]
        holds = f"has {' and '.join(heads)}" if heads else f"has {len(keys)} weights"
        return f"It {holds}, and no judge of this package supports it."
    if any("prm" in one for one in survey.called):
        return (
            "Its weights are those of a language model, and its name suggests a process reward "
            "model. If it has one of the supported layouts, choose judge=process with "
            f"layout={'|'.join(LANGUAGE_MODEL_LAYOUTS)}."
        )
    if any(map(_REWARD_MODEL.search, survey.called)):
        return (
            "Its weights are those of a language model, and its name suggests a reward model, so "
            "its likelihoods would be meaningless. If a token's logit is the reward, choose "
            "judge=token-logit (with token=ID or TEXT); if it writes a score, choose "
            "judge=critique."
        )
    return (
        "Its weights are those of a language model, and nothing indicates that it is a reward "
        "model. judge=auto does not choose a judge for such a model. Choose judge=likelihood, dpo "
        "(with reference=DIR) or critique; token-logit (with token=ID or TEXT) if a token's logit "
        f"is the reward; process (with layout={'|'.join(LANGUAGE_MODEL_LAYOUTS)}) if it scores "
        "steps."
    )


def _advice_on_head(survey: Survey) -> str:
    """What to do with a checkpoint that no judge recognizes and that has its own head."""
    code = [str(one) for one in (survey.values.get("auto_map") or {}).values()]
    if code:
        return (
            f"Its config.json names its own code, {code[0]}. Code in checkpoints is never "
            "executed, and what it computes is unknown. No judge of this package supports it."
        )
    heads = _nameable_heads(survey)
    if not heads:
        return "No judge of this package supports it yet."
    named = " or ".join(f"head={head}" for head in heads)
    return (
        "No judge of this package supports it automatically: such a head can be a reward head or "
        "the critic of a policy. If its output at the last token is the reward, name the head: "
        f"{named}."
    )


def _nameable_heads(survey: Survey) -> list[str]:
    """The heads of a checkpoint that `head=NAME` supports."""
    heads = heads_behind_body(survey)
    return [head for head in heads if _why_refused(survey, NamedHead(head)) is None]


def _why_refused(survey: Survey, kind: Architecture) -> str | None:
    """Why a checkpoint does not have a type; None if it has it."""
    try:
        whole = survey.with_files(kind.further_files)
        built(described(whole, kind), whole, kind)
    except CheckpointError as error:
        return str(error)
    return None
