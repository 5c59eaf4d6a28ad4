"""Sequence classification models of transformers with one label."""

from __future__ import annotations

import logging
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.classifier_families import (
    HEADS,
    IMAGE_PARTS,
    NOT_READ,
    TEXT_BODIES,
    stated_labels,
)
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES, decoder_class
from ultrarm_eval.checkpoints.network_parts import weights_behind_body
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING, stock_classes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource
from ultrarm_eval.checkpoints.weights import refuse_missing
from ultrarm_eval.errors import CheckpointError, OtherKindError

logger = logging.getLogger(__name__)

#: The head's name in the families of `DECODER_FAMILIES`, and in most others.
HEAD = "score"
_BODY = "model."
_SPARSE = "block_sparse"
_ONE_LABEL = "single_label_classification"


class SequenceClassification(Architecture):
    """A sequence classification model of a family that transformers knows, with one label.

    Of a model of texts and images, only the text part is used, with its own configuration; the
    image part is not loaded.
    """

    known_as = "a sequence classification model of transformers"
    reading = (
        "its logit as in transformers: a decoder's at the last token that is not padding, an "
        "encoder's where its class pools the text"
    )
    is_general = True

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`."""
        if survey.classes:
            return any(one.endswith(CLASS_ENDING) for one in survey.classes)
        if f"{HEAD}.weight" not in survey.keys:
            return False
        named = stated_labels(survey.values)
        return (_rows_of_head(survey)[1] if named is None else named) == 1

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        name, values = survey.name, survey.values
        from transformers import CONFIG_MAPPING
        from transformers import __version__ as version
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
        )

        model_type = survey.model_type
        if model_type not in CLASSES or model_type not in CONFIG_MAPPING:
            raise OtherKindError(
                f"{name}: its config.json describes a {model_type!r} model, but transformers "
                f"({version}) has no sequence classification model of that family, and code in "
                "checkpoints is never executed."
            )
        if survey.classes and not any(one.endswith(CLASS_ENDING) for one in survey.classes):
            raise OtherKindError(
                f"{name}: its config.json names the class {', '.join(survey.classes)}; this judge "
                f"supports transformers' classes that end in {CLASS_ENDING}."
            )
        refuse_own_code(
            name,
            values,
            own_classes=stock_classes(model_type, CLASSES),
            auto_class="AutoModelForSequenceClassification",
        )
        if model_type in NOT_READ:
            raise CheckpointError(
                f"{name}: a {model_type} model cannot score texts here: {NOT_READ[model_type]}."
            )
        stated = _with_labels(survey)
        config = CONFIG_MAPPING[model_type].from_dict(stated)
        if getattr(config, "is_encoder_decoder", False):
            raise CheckpointError(
                f"{name}: this is an encoder-decoder model ({model_type}); this judge supports "
                "decoders and encoders."
            )
        if getattr(config, "attention_type", None) == _SPARSE:
            raise CheckpointError(
                f"{name}: config.json says attention_type {_SPARSE!r}, which transformers "
                "switches off permanently once it sees a short text, so rewards depend on earlier "
                "texts. Write 'original_full' there, in a copy of the checkpoint."
            )
        if config.num_labels != 1:
            raise CheckpointError(
                f"{name}: it has {config.num_labels} labels{_by_head(survey)}; a reward model has "
                "exactly one label (num_labels 1 in its config.json)."
            )
        text = config.get_text_config()
        return config if text is config else _of_texts(name, config, text)

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        prefix = _text_prefix(survey)
        lacking = sorted({*weights_behind_body(network)} - survey.keys)
        if lacking and survey.adapter is not None:
            raise OtherKindError(
                f"{survey.adapter.name}: neither this adapter nor its base {survey.name} has "
                f"{lacking[-1]!r}, so the head would be random. Train the adapter again with a "
                f'fully trained head: LoraConfig(modules_to_save=["{lacking[-1].split(".")[0]}"]).'
            )
        if lacking:
            raise OtherKindError(
                f"{survey.name}: the weights lack {lacking[-1]!r}, so its rewards would be random."
            )
        if prefix is not None:
            _require_body(survey, network, prefix)

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        parts = IMAGE_PARTS.get(survey.model_type)
        if config.model_type in DECODER_FAMILIES or parts is not None:
            network = decoder_class(config.model_type, HEAD)(config)
            if parts is not None:
                network._keys_to_ignore_on_load_unexpected = [rf"^{one}\." for one in parts]
            return network
        from transformers import AutoModelForSequenceClassification

        model: nn.Module = AutoModelForSequenceClassification.from_config(config)
        return model

    def weight_map(self, config: Any, survey: Survey) -> WeightMap | None:
        """See `Architecture.weight_map`."""
        prefix = _text_prefix(survey)
        if prefix is None:
            return None
        parts = tuple(f"{one}." for one in IMAGE_PARTS[survey.model_type])
        unread = sum(key.startswith(parts) for key in survey.keys)
        logger.info(
            "%s also has an image part: its %d weights are not loaded, and the text part scores "
            "texts.",
            survey.name,
            unread,
        )
        body = {
            _BODY + key.removeprefix(prefix): WeightSource.of(key)
            for key in survey.keys
            if key.startswith(prefix)
        }
        return {**body, f"{HEAD}.weight": WeightSource.of(f"{HEAD}.weight")}


def _with_labels(survey: Survey) -> dict[str, Any]:
    """The content of config.json, with the head's number of labels if it names none.

    transformers would assume two, and refuses a `problem_type` for one label that no reward
    depends on.
    """
    stated = dict(survey.values)
    if stated_labels(stated) is None:
        for field in ("id2label", "label2id", "num_labels"):
            stated.pop(field, None)
        rows = _rows_of_head(survey)[1]
        # A missing head is reported when the weights are checked.
        stated["num_labels"] = 1 if rows is None else rows
    if stated_labels(stated) == 1 and stated.get("problem_type") == _ONE_LABEL:
        del stated["problem_type"]
    return stated


def _rows_of_head(survey: Survey) -> tuple[str | None, int | None]:
    """The name of the head's last weight, and its rows: the labels."""
    key = next((head for head in HEADS if head in survey.keys), None)
    shape = None if key is None else survey.shape(key)
    return (None, None) if not shape else (key, shape[0])


def _by_head(survey: Survey) -> str:
    if stated_labels(survey.values) is not None:
        return ""
    key, rows = _rows_of_head(survey)
    return f" (config.json names none; its head {key!r} has {rows} rows)"


def _of_texts(name: str, config: Any, text: Any) -> Any:
    """The configuration of the text part, in a model of texts and images."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    if config.model_type not in IMAGE_PARTS or text.model_type not in MODEL_MAPPING_NAMES:
        known = ", ".join(sorted(IMAGE_PARTS))
        raise CheckpointError(
            f"{name}: this is a multimodal model ({config.model_type}); this judge supports the "
            f"text part of {known}."
        )
    if getattr(config, "quantization_config", None) is not None:
        raise CheckpointError(
            f"{name}: this is a quantized multimodal model ({config.model_type}), of which the "
            "text part cannot be loaded separately. Use the checkpoint that it was quantized from."
        )
    if getattr(text, "dtype", None) is None:
        text.dtype = config.dtype
    text.num_labels = config.num_labels
    top, own = getattr(config, "pad_token_id", None), text.pad_token_id
    if top is not None and top != own:
        logger.info(
            "%s: config.json names the padding token %s for the complete model and %s for texts: "
            "like transformers, the judge uses the last token that is not the latter.",
            name,
            top,
            own,
        )
    return text


def _text_prefix(survey: Survey) -> str | None:
    """The prefix of the text part's weight names, next to an image part."""
    if survey.model_type not in IMAGE_PARTS:
        return None
    found = (one for one in TEXT_BODIES if any(key.startswith(one) for key in survey.keys))
    return next(found, TEXT_BODIES[0])


def _require_body(survey: Survey, network: nn.Module, prefix: str) -> None:
    needed = {
        key: prefix + key.removeprefix(_BODY)
        for key, _ in network.named_parameters()
        if key.startswith(_BODY)
    }
    refuse_missing(survey.name, set(needed.values()) - survey.keys)
