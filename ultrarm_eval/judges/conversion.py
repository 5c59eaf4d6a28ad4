"""Converts a judge's checkpoint to transformers' own classifier, for other engines.

The weights are the same numbers under other names; a checkpoint for which that is impossible is
rejected. The prompt template is recorded in config.json, where `judge=auto` finds it. A converted
folder is opened before it replaces an existing one, and has to produce the same token ids as the
source.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval._version import __version__
from ultrarm_eval.checkpoints.conversion import Conversion, WrittenWeights
from ultrarm_eval.checkpoints.conversion_record import ConversionRecord
from ultrarm_eval.checkpoints.converted_folder import (
    CONVERSION_FILE,
    CONVERSION_FORMAT,
    require_free,
    require_room,
    whole_folder,
)
from ultrarm_eval.checkpoints.converted_tokenizer import write_tokenizer
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.checkpoints.standard_classifier import StandardClassifier, standard_classifier
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.engine_settings import TORCH, VLLM
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.judges.auto import judge_for
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.conversion_probes import ids_of_probes, require_same_texts
from ultrarm_eval.judges.conversion_remarks import named_token, remarks
from ultrarm_eval.judges.inspection import judge_to_look_at
from ultrarm_eval.judges.padding_choice import chosen_padding
from ultrarm_eval.judges.recognition import survey_of
from ultrarm_eval.judges.sequence_classification import ConvertedReward
from ultrarm_eval.text_format.text_end import TextEnd

logger = logging.getLogger(__name__)

#: The settings of a judge that determine what is converted; all others belong to a run.
SETTINGS = ("revision", "peft", "peft_revision", "template", "head")
_GIB = 1024**3


@dataclass(frozen=True)
class Converted:
    """A converted checkpoint.

    Attributes:
        folder: Where it is.
        judge: The judge that it was converted from.
        class_name: transformers' class.
        family: transformers' name of its family.
        template: The template that a judge of it uses.
        weights: The written weights.
        dtypes: The number of weights per dtype.
        dtype: The dtype that config.json names.
        rounded: The number of weights that have fewer bits than before.
        pad_token: The padding token and its id; None if there is none.
        max_length: The maximum number of tokens per text.
        remarks: Remarks on the conversion, in sentences.
    """

    folder: Path
    judge: str
    class_name: str
    family: str
    template: str
    weights: WrittenWeights
    dtypes: Mapping[str, int]
    dtype: str
    rounded: int
    pad_token: str | None
    max_length: int
    remarks: tuple[str, ...]


def convert(
    pretrained: str,
    folder: Path,
    *,
    judge: str = AUTO_JUDGE,
    dtype: str | None = None,
    max_shard_bytes: int,
    overwrite: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Converted:
    """Writes a checkpoint as a sequence classification model of transformers.

    Needs memory of two or three times the largest weight, plus one weight file for pickles older
    than torch 1.6.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        folder: The target: a new folder, an empty one, or with `overwrite` a finished conversion.
        judge: The judge of the checkpoint; `auto` finds the one that supports it.
        dtype: The dtype of the written weights; the stored dtype if None.
        max_shard_bytes: The maximum size of a weight file in bytes.
        overwrite: Whether a finished conversion is replaced.
        settings: Settings of the judge, of `SETTINGS`.

    Raises:
        CheckpointError: The reward is not a linear scalar at one token, or a weight is damaged.
        ConfigurationError: A setting or the folder cannot be used, or there is too little room.
    """
    given = _checked(settings or {})
    require_free(folder, overwrite=overwrite)
    name = judge_for(pretrained, given.get("revision"), given) if judge == AUTO_JUDGE else judge
    made = judge_to_look_at(name, {"pretrained": pretrained, "device": "cpu", **given})
    survey = _survey(pretrained, made)
    standard, end = _classifier(name, made, survey)
    checkpoint = made.checkpoint
    checkpoint.require_sound_weights()
    conversion = Conversion(checkpoint, standard, dtype)
    require_room(folder, conversion.size)
    record = None if end is None else ConversionRecord(*_origin(name, made), end.to_json())
    if record is None and "template" in given:
        raise ConfigurationError(
            f"template={given['template']}: {pretrained} is a sequence classification model "
            "already and is converted unchanged, so no template is recorded. Remove template, and "
            "set it when you score texts."
        )
    texts = ids_of_probes(made)
    used = {token for one in texts.values() for token in one.ids}
    pad_id = checkpoint.config.pad_token_id
    if record is not None:
        pad_id = chosen_padding(made.tokenizer, checkpoint.config, used, made.encoder.bos_id)
    logger.info(
        "Converting %s (judge=%s) to %s: %.2f GiB of weights. Up to %.2f GiB are in memory at a "
        "time, and twice that during a change of dtype.",
        pretrained,
        name,
        standard.class_name,
        conversion.size / _GIB,
        conversion.largest / _GIB,
    )
    with whole_folder(folder, overwrite=overwrite) as temporary:
        weights = conversion.write(temporary, max_shard_bytes)
        _write_json(temporary / "config.json", conversion.config(pad_id, record))
        named = None if record is None or pad_id is None else pad_id
        token = None if named is None else made.tokenizer.convert_ids_to_tokens(named)
        write_tokenizer(checkpoint, made.tokenizer, temporary, token)
        written = judge_to_look_at(
            judge_for(str(temporary), None, {}), {"pretrained": str(temporary), "device": "cpu"}
        )
        require_same_texts(made, texts, written, reads_padding=record is None)
        _write_json(
            temporary / CONVERSION_FILE,
            _provenance(pretrained, name, made, written, weights, conversion),
        )
    return Converted(
        folder,
        name,
        standard.class_name,
        str(standard.values["model_type"]),
        str(made.settings()["template"]),
        weights,
        conversion.dtypes(),
        str(conversion.dtype).removeprefix("torch."),
        len(conversion.rounded),
        None if pad_id is None else named_token(made.tokenizer, pad_id),
        made.max_length,
        remarks(made, conversion, pad_id, record),
    )


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that determine what is converted.

    Raises:
        ConfigurationError: One of the settings belongs to a run.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if given.get("normalize") is False:
        del given["normalize"]
    if given.get("normalize"):
        raise ConfigurationError(
            "normalize=True: the sequence classification class has no mean and standard "
            "deviation. Remove it: rewards are then the head's outputs r, and (r - mean) / std "
            "are the normalized rewards."
        )
    for name in given:
        if name not in SETTINGS:
            raise ConfigurationError(
                f"{name}={given[name]}: this setting belongs to a run and cannot be stored in a "
                f"converted checkpoint; {', '.join(SETTINGS)} can. Set it when you score texts."
            )
    template = given.get("template")
    if template is not None and Path(str(template)).is_file():
        raise ConfigurationError(
            f"template={template}: a converted checkpoint records a template's name, not a file. "
            "Remove template, and name the file when you score texts."
        )
    return given


def _survey(pretrained: str, judge: CheckpointJudge) -> Survey:
    given = judge.given
    found = survey_of(
        pretrained, given.revision, peft=given.peft, peft_revision=given.peft_revision
    )
    return found.with_files(judge.checkpoint.architecture.further_files)


def _classifier(
    name: str, judge: CheckpointJudge, survey: Survey
) -> tuple[StandardClassifier, TextEnd | None]:
    """The checkpoint as a classifier, and how its texts end; None if it is one already."""
    head, checkpoint = judge.head, judge.checkpoint
    end = head.text_end(judge.tokenizer)
    why = head.why_not_served()
    is_one = isinstance(checkpoint.architecture, SequenceClassification)
    if end is None and not is_one:
        raise CheckpointError(
            f"{checkpoint.name}: judge={name}: a sequence classification model outputs one linear "
            f"layer at one token, and for {checkpoint.architecture.known_as} "
            f"{why or 'the reward is computed differently'}. Use engine={TORCH}."
        )
    try:
        return standard_classifier(checkpoint, survey), end
    except CheckpointError as error:
        if checkpoint.is_quantized:
            raise
        plugin = "" if why or is_one else f"engine={VLLM} (this package's vLLM plugin) or "
        raise CheckpointError(f"{error} (judge={name}.) Use {plugin}engine={TORCH}.") from error


def _origin(name: str, judge: CheckpointJudge) -> tuple[str, str]:
    """The judge and the template to record; those of the first conversion if there were several."""
    head, template = judge.head, str(judge.settings()["template"])
    return (head.record.judge if isinstance(head, ConvertedReward) else name), template


def _provenance(
    pretrained: str,
    name: str,
    judge: CheckpointJudge,
    written: CheckpointJudge,
    weights: WrittenWeights,
    conversion: Conversion,
) -> dict[str, Any]:
    """The source of a converted checkpoint, for `conversion.json`."""
    settings = judge.settings()
    origins = ("revision", "base", "base_revision", "peft", "peft_revision", "head")
    source = str(demo_judge_path()) if pretrained == DEMO_NAME else pretrained
    return {
        "format": CONVERSION_FORMAT,
        "ultrarm_eval_version": __version__,
        "source": {
            "pretrained": pretrained if not Path(source).is_dir() else str(Path(source).resolve()),
            **{key: settings[key] for key in origins if settings.get(key) is not None},
            "weights_digest": judge.checkpoint.digest(),
        },
        "judge": name,
        "template": settings["template"],
        "class": conversion.standard.class_name,
        "dtypes": conversion.dtypes(),
        "rounded_weights": len(conversion.rounded),
        "weights_digest": written.checkpoint.digest(),
        "tensors_digest": weights.digest,
    }


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
