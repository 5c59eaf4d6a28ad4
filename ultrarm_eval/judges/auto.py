"""`judge=auto`: which judge takes a checkpoint, by its config.json and the names of its weights.

A refusal names a judge only where that judge takes the checkpoint, so that no advice leads back.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint, open_checkpoint
from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder
from ultrarm_eval.checkpoints.named_head import head_files, heads_behind_body
from ultrarm_eval.checkpoints.network import built, described
from ultrarm_eval.checkpoints.scalar_decoder import ULTRARM
from ultrarm_eval.checkpoints.sequence_classification import labels
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_models import why_unread
from ultrarm_eval.checkpoints.unread_weights import what_is_not_read
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import CheckpointError, ConfigurationError, OtherKindError, PluginError
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.loading import make_judge
from ultrarm_eval.plugins import registry
from ultrarm_eval.settings import LAYOUTS

logger = logging.getLogger(__name__)

_HEADS = ("regression_head.weight", "score.weight", "classifier.weight", "lm_head.weight")
_LANGUAGE_MODEL, _CLASSIFIER = "likelihood", "sequence-classification"
_NAMED_HEAD, _TOKEN = "value-head", "token-logit"
_REWARD_MODEL = re.compile(r"reward|(^|[-_.])rm([-_.]|$)")


def auto_judge(
    pretrained: str = DEFAULT_CHECKPOINT, *, revision: str | None = None, **settings: Any
) -> Judge:
    """Makes the judge that takes a checkpoint.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Hub revision of the checkpoint.
        **settings: Settings of the judge that is found.

    Raises:
        CheckpointError: No judge takes it, or it cannot be reached.
        ConfigurationError: A setting that the judge does not have.
    """
    judge = judge_for(pretrained, revision, settings)
    made = make_judge(judge, {"pretrained": pretrained, "revision": revision, **settings})
    # A judge that takes several kinds knows by its checkpoint which one this is.
    told_by = getattr(made, "checkpoint", made)
    architecture: Architecture | None = getattr(told_by, "architecture", None)
    if architecture is not None:
        logger.info(
            "judge=%s: %s is %s (judge=%s); the reward is %s.",
            AUTO_JUDGE,
            pretrained,
            architecture.known_as,
            judge,
            architecture.reading,
        )
    return made


def judge_for(pretrained: str, revision: str | None, settings: Mapping[str, Any]) -> str:
    """The name of the judge that takes a checkpoint, given what the user set.

    Raises:
        CheckpointError: None does, or the checkpoint cannot be reached.
    """
    if settings.get("head"):
        return _NAMED_HEAD
    if settings.get("token") is not None:
        return _TOKEN
    return recognise(pretrained, revision, **adapter_in(settings))


def adapter_in(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The settings that name an adapter, of all that a user set."""
    return {name: settings.get(name) for name in ("peft", "peft_revision")}


def recognise(pretrained: str, revision: str | None = None, **adapter: str | None) -> str:
    """The name of the judge that takes a checkpoint.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Its hub revision.
        **adapter: `peft` and `peft_revision`, see `ultrarm_eval.checkpoints.survey`.

    Raises:
        CheckpointError: None does, or the checkpoint cannot be reached.
    """
    survey = survey_of(pretrained, revision, **adapter)
    judges = [] if why_unread(survey) else recognised(survey)
    if judges == [_CLASSIFIER] and what_is_not_read(survey.values, ()) is not None:
        judges = []
    if not judges:
        raise CheckpointError(_unrecognised(survey))
    if len(judges) > 1:
        raise CheckpointError(
            f"{pretrained}: several judges recognise this checkpoint: {', '.join(judges)}. Name "
            "one by judge=NAME."
        )
    # What it says that it is, it also has to be.
    source = survey.name if pretrained == DEMO_NAME else pretrained
    open_for(source, revision, architectures()[judges[0]], **adapter)
    return judges[0]


def recognised(survey: Survey) -> list[str]:
    """The judges that recognise a checkpoint; of those, the ones that know it best.

    Args:
        survey: Its small files.
    """
    found = {name: one for name, one in architectures().items() if one.recognises(survey)}
    return [name for name, one in found.items() if not one.is_general] or list(found)


def architectures() -> dict[str, Architecture]:
    """The kinds of checkpoint that registered judges take, by judge.

    A judge of another package that cannot be imported is left out, with a warning.
    """
    plugins = registry()
    found: dict[str, Architecture] = {}
    for name in plugins.judges:
        try:
            architecture = getattr(plugins.judge(name), "architecture", None)
        except PluginError as error:
            logger.warning("judge=%s is left out of judge=%s: %s", name, AUTO_JUDGE, error)
            continue
        if isinstance(architecture, Architecture):
            found[name] = architecture
    return found


def survey_of(pretrained: str, revision: str | None = None, **adapter: str | None) -> Survey:
    """A checkpoint's small files, also the demo's.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Its hub revision.
        **adapter: `peft` and `peft_revision`, see `ultrarm_eval.checkpoints.survey`.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.survey`.
    """
    source = str(demo_judge_path()) if pretrained == DEMO_NAME else pretrained
    return Survey(source, revision, **adapter)


def _unrecognised(survey: Survey) -> str:
    name, config, keys = survey.name, survey.values, survey.keys
    heads = [head for head in _HEADS if head in keys]
    found = {
        "model_type": config.get("model_type"),
        "architectures": config.get("architectures"),
        "num_labels": labels(config),
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


def auto_if_readable(pretrained: str, revision: str | None) -> str:
    """`auto` where the checkpoint's config.json can be read, else the default judge.

    The default judge says best what is wrong with a checkpoint that cannot be reached.
    """
    try:
        survey_of(pretrained, revision)
    except (CheckpointError, ConfigurationError):
        return DEFAULT_JUDGE
    return AUTO_JUDGE


def open_for(
    name: str,
    revision: str | None = None,
    architecture: Architecture | None = None,
    **adapter: str | None,
) -> Checkpoint:
    """Opens a checkpoint of a kind; where it is of another, the refusal says which judge takes it.

    Args:
        name: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        architecture: The kind; UltraRM's if None.
        **adapter: `peft` and `peft_revision`, see `ultrarm_eval.checkpoints.survey`.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.checkpoint.open_checkpoint`.
    """
    try:
        return open_checkpoint(name, revision, architecture or ULTRARM, **adapter)
    except OtherKindError as error:
        raise CheckpointError(f"{error} {advice(Survey(name, revision, **adapter))}") from error


def takers(survey: Survey) -> list[str]:
    """The judges that take a checkpoint, `likelihood` for all of language models.

    Args:
        survey: Its small files.
    """
    found: dict[int, str] = {}
    for judge, architecture in architectures().items():
        if isinstance(architecture, CausalLanguageModel) and judge != _LANGUAGE_MODEL:
            continue
        # A published kind that does not recognise it would read it as something it is not.
        if isinstance(architecture, HeadedDecoder):
            continue
        try:
            whole = survey.with_files(architecture.further_files)
            built(described(whole, architecture), whole, architecture)
        except CheckpointError:
            continue
        found.setdefault(id(architecture), judge)
    return sorted(found.values(), key=lambda judge: judge == _LANGUAGE_MODEL)


def advice(survey: Survey) -> str:
    """What a checkpoint is, and which judge takes it, in sentences.

    Args:
        survey: Its small files.
    """
    values, keys = survey.values, survey.keys
    unread = why_unread(survey)
    if unread is not None:
        return f"This is {unread}. No judge here reads it."
    judges = recognised(survey)
    unread = what_is_not_read(values, keys)
    if judges in ([], [_CLASSIFIER]) and unread is not None:
        return f"This is {unread}. {_advice_on_head(survey)}"
    files = [] if judges else head_files(survey)
    if files:
        return f"Its value head is in a file of its own, {files[0]}. {_advice_on_head(survey)}"
    refusal = _refusal(survey, judges)
    if refusal is not None:
        return f"No judge here takes it; {judges[0]}, which is for such models, says: {refusal}"
    judges = judges or takers(survey)
    if judges and judges != [_LANGUAGE_MODEL]:
        return f"judge={judges[0]} takes this checkpoint."
    if not judges and "lm_head.weight" in keys and not any(head in keys for head in _HEADS[:-1]):
        return (
            "By its weights this is a language model, and no judge here takes it as its "
            "config.json describes it."
        )
    if not judges:
        heads = [head for head in _HEADS if head in keys]
        holds = f"has {' and '.join(heads)}" if heads else f"has {len(keys)} weights"
        return f"It {holds}, and no judge here takes it."
    if any("prm" in one for one in survey.called):
        return (
            "By its weights this is a language model, and its name says that it is a process "
            "reward model. Where it has one of the layouts that are read here, name it: "
            f"judge=process with layout={'|'.join(LAYOUTS)}."
        )
    if any(map(_REWARD_MODEL.search, survey.called)):
        return (
            "By its weights this is a language model, and its name says that it is a reward model, "
            "so its likelihoods would say nothing. Where a token's logit is the reward, name "
            "judge=token-logit (with token=ID or TEXT); where it writes a score, judge=critique."
        )
    return (
        "By its weights this is a language model, not a reward model, which judge=auto does not "
        "choose by itself: name judge=likelihood, dpo (with reference=DIR) or critique."
    )


def _advice_on_head(survey: Survey) -> str:
    """What to do with a checkpoint that no judge recognises, and that has a head of its own."""
    code = [str(one) for one in (survey.values.get("auto_map") or {}).values()]
    if code:
        return (
            f"Its config.json names code of its own, {code[0]}, which is never executed, and what "
            "it computes is not known here. No judge here reads it."
        )
    heads = [] if what_is_not_read(survey.values, ()) else heads_behind_body(survey)
    if not heads:
        return "No judge here reads it yet."
    named = " or ".join(f"head={head}" for head in heads)
    return (
        "No judge here reads it by itself: such a head can be a reward's, or the critic of a "
        f"policy. If the output at the last token is the reward, name it: {named}."
    )


def _refusal(survey: Survey, judges: Sequence[str]) -> str | None:
    """Why the one judge that recognises a checkpoint of a published kind refuses it."""
    kinds = [architectures()[judge] for judge in judges]
    if len(kinds) != 1 or not isinstance(kinds[0], HeadedDecoder):
        return None
    try:
        whole = survey.with_files(kinds[0].further_files)
        built(described(whole, kinds[0]), whole, kinds[0])
    except CheckpointError as error:
        return str(error)
    return None
