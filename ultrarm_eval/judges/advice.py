"""What a checkpoint is that a judge refuses, and which judge takes it.

A refusal names a judge only where that judge takes the checkpoint, so that no advice leads back.
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
_UNKNOWN_HEAD = "It has weights behind its body that no kind known here has."
_REWARD_MODEL = re.compile(r"reward|(^|[-_.])rm([-_.]|$)")


def open_for(survey: Survey, architecture: Architecture) -> Checkpoint:
    """Opens a checkpoint of a kind; where it is of another, the refusal says which judge takes it.

    Args:
        survey: Its small files.
        architecture: The kind.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.checkpoint.open_checkpoint`.
    """
    try:
        return open_surveyed(survey, architecture)
    except OtherKindError as error:
        raise CheckpointError(f"{error} {advice(survey, str(error))}") from error
    except OwnCodeError as error:
        # Of the kind that it is, the code can still be another's.
        if architecture.recognises(survey) or not recognised(survey):
            raise
        raise CheckpointError(f"{error} {advice(survey)}") from error


def unrecognised(survey: Survey) -> str:
    """Why `judge=auto` names no judge for a checkpoint, and what may be done.

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
        f" Judges of other packages: {', '.join(others)}; name one by judge=NAME." if others else ""
    )
    return (
        f"{name}: judge={AUTO_JUDGE} does not recognise this checkpoint. Found: "
        f"{', '.join(f'{key} {value}' for key, value in found.items())}. "
        f"{advice(survey)}{by_others}"
    )


def takers(survey: Survey) -> list[str]:
    """The judges that take a checkpoint, `likelihood` for all of language models.

    Args:
        survey: Its small files.
    """
    found: dict[str, str] = {}
    for judge, kind in architectures().items():
        if not kind.only_recognised and _why_refused(survey, kind) is None:
            # Judges of one kind differ in their settings: the first of them stands for all.
            found.setdefault(kind.known_as, judge)
    return sorted(found.values(), key=lambda judge: judge == _LANGUAGE_MODEL)


def advice(survey: Survey, said: str = "") -> str:
    """What a checkpoint is, and which judge takes it, in sentences.

    Args:
        survey: Its small files.
        said: What was said before; it is not repeated.
    """
    keys = survey.keys
    unread = why_unread(survey)
    if unread is not None:
        return f"This is {unread}. No judge here reads it."
    kinds = recognised(survey)
    head = head_of_a_kind(keys)
    if head is not None and all(kind.is_general for kind in kinds.values()):
        return f"This is {head}. {_advice_on_head(survey)}"
    files = [] if kinds else head_files(survey)
    if files:
        return f"Its value head is in a file of its own, {files[0]}. {_advice_on_head(survey)}"
    if len(kinds) == 1:
        ((judge, kind),) = kinds.items()
        refusal = _why_refused(survey, kind)
        if refusal is not None and kind.is_general and _nameable_heads(survey):
            return f"{_UNKNOWN_HEAD} {_advice_on_head(survey)}"
        if refusal is not None and refusal == said:
            return "No judge here takes it."
        if refusal is not None:
            return f"No judge here takes it; {judge}, which is for such models, says: {refusal}"
    judges = list(kinds) or takers(survey)
    if judges and judges != [_LANGUAGE_MODEL]:
        kind = architectures()[judges[0]]
        named = kind.said_of(survey) if kind.recognises(survey) else ""
        return f"judge={judges[0]} takes this checkpoint{f' ({named})' if named else ''}."
    if not judges and "lm_head.weight" in keys and not any(head in keys for head in _HEADS[:-1]):
        return (
            "By its weights this is a language model, and no judge here takes it as its "
            "config.json describes it."
        )
    if not judges:
        if _nameable_heads(survey):
            return f"{_UNKNOWN_HEAD} {_advice_on_head(survey)}"
        heads = [head for head in _HEADS if head in keys]
        holds = f"has {' and '.join(heads)}" if heads else f"has {len(keys)} weights"
        return f"It {holds}, and no judge here takes it."
    if any("prm" in one for one in survey.called):
        return (
            "By its weights this is a language model, and its name says that it is a process "
            "reward model. Where it has one of the layouts that are read here, name it: "
            f"judge=process with layout={'|'.join(LANGUAGE_MODEL_LAYOUTS)}."
        )
    if any(map(_REWARD_MODEL.search, survey.called)):
        return (
            "By its weights this is a language model, and its name says that it is a reward model, "
            "so its likelihoods would say nothing. Where a token's logit is the reward, name "
            "judge=token-logit (with token=ID or TEXT); where it writes a score, judge=critique."
        )
    return (
        "By its weights this is a language model, and nothing says that it is a reward model. "
        "judge=auto does not choose for such a model: name judge=likelihood, dpo (with "
        "reference=DIR) or critique; token-logit (with token=ID or TEXT) if a token's logit is the "
        f"reward; process (with layout={'|'.join(LANGUAGE_MODEL_LAYOUTS)}) if it rates steps."
    )


def _advice_on_head(survey: Survey) -> str:
    """What to do with a checkpoint that no judge recognises, and that has a head of its own."""
    code = [str(one) for one in (survey.values.get("auto_map") or {}).values()]
    if code:
        return (
            f"Its config.json names code of its own, {code[0]}, which is never executed, and what "
            "it computes is not known here. No judge here reads it."
        )
    heads = _nameable_heads(survey)
    if not heads:
        return "No judge here reads it yet."
    named = " or ".join(f"head={head}" for head in heads)
    return (
        "No judge here reads it by itself: such a head can be a reward's, or the critic of a "
        f"policy. If its output at the last token is the reward, name it: {named}."
    )


def _nameable_heads(survey: Survey) -> list[str]:
    """The heads that `head=NAME` reads of a checkpoint."""
    heads = heads_behind_body(survey)
    return [head for head in heads if _why_refused(survey, NamedHead(head)) is None]


def _why_refused(survey: Survey, kind: Architecture) -> str | None:
    """Why a checkpoint is none of a kind; None if it is one."""
    try:
        whole = survey.with_files(kind.further_files)
        built(described(whole, kind), whole, kind)
    except CheckpointError as error:
        return str(error)
    return None
