"""A reward model as transformers' own classifier of its family: which class, weights and config.

Such a class applies one linear layer without bias, `score`, at the last token of a text that is not
its configuration's padding token. Rewards that are computed this way are the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.conversion_record import RECORD
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder
from ultrarm_eval.checkpoints.heads import LinearPart, linear_part
from ultrarm_eval.checkpoints.sequence_classification import HEAD, SequenceClassification
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING, family_prefix, stock_classes
from ultrarm_eval.checkpoints.stored_quantization import method_of
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import renamed_keys
from ultrarm_eval.errors import CheckpointError

_BODY, _NORM = "model.", "model.norm.weight"
# Fields that are written anew, or that belong to the checkpoint's own code.
_LEFT_OUT = (
    *("architectures", "auto_map", "num_labels", "id2label", "label2id", "problem_type"),
    *("dtype", "torch_dtype", "quantization_config", "_name_or_path", RECORD),
)
_ONE_LABEL: dict[str, dict[str, Any]] = {
    "id2label": {"0": "LABEL_0"},
    "label2id": {"LABEL_0": 0},
}


@dataclass(frozen=True)
class StandardClassifier:
    """A checkpoint described as a classifier of transformers.

    Attributes:
        class_name: transformers' class.
        values: The content of config.json, except the padding token and the dtype.
        sources: The network's weight names, by the names in that class.
        shapes: The weights' shapes, by the same names.
        sign: The factor of the head: -1 where a cost is negated.
        exact: The weights that a judge never rounds: the final norm and the head.
        is_as_it_is: Whether the checkpoint already has that class.
    """

    class_name: str
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    sign: int
    exact: frozenset[str]
    is_as_it_is: bool


def standard_classifier(checkpoint: Checkpoint, survey: Survey) -> StandardClassifier:
    """Describes a checkpoint as a classifier of transformers; reads no weight but the head's bias.

    Args:
        checkpoint: The checkpoint.
        survey: Its small files.

    Raises:
        CheckpointError: No such class computes its reward, or its weights are quantized.
    """
    name, config = checkpoint.name, checkpoint.config
    if checkpoint.is_quantized:
        raise CheckpointError(
            f"{name}: its weights are stored quantized ({method_of(survey.values)}), so a "
            "conversion would not contain the original weights. Convert the checkpoint that it "
            "was quantized from."
        )
    values = _body_values(checkpoint, survey)
    if values.get("model_type") != config.model_type:
        raise CheckpointError(
            f"{name}: this is a model of texts and images ({values.get('model_type')}), of which "
            "only the text part is used here, while engines load the complete model. It cannot be "
            "converted."
        )
    is_as_it_is = isinstance(checkpoint.architecture, SequenceClassification)
    if is_as_it_is and not isinstance(checkpoint.network, DecoderRewardModel):
        sources, sign, exact = _stored_as_named(checkpoint), 1, frozenset[str]()
    else:
        sources, sign, exact = _renamed(checkpoint)
    class_name, stock = _stock_network(name, values)
    return StandardClassifier(
        class_name,
        values,
        sources,
        _shapes(checkpoint, stock, sources),
        sign,
        exact,
        is_as_it_is,
    )


def _body_values(checkpoint: Checkpoint, survey: Survey) -> dict[str, Any]:
    """The body's fields of config.json, and one label: the source's own if it has one."""
    architecture, values = checkpoint.architecture, survey.values
    left_out: tuple[str, ...] = _LEFT_OUT
    if isinstance(architecture, HeadedDecoder):
        values = dict(architecture.body_values(survey))
        left_out = (*_LEFT_OUT, *architecture.head_fields)
    named = {key: values[key] for key in _ONE_LABEL if len(values.get(key) or ()) == 1}
    labels = named if named.keys() == _ONE_LABEL.keys() else _ONE_LABEL
    kept = {key: value for key, value in values.items() if key not in left_out}
    return {**kept, "num_labels": 1, **labels, "problem_type": "regression"}


def _renamed(checkpoint: Checkpoint) -> tuple[dict[str, str], int, frozenset[str]]:
    """Our decoder's weight names by those of transformers' class, the sign, the exact weights."""
    network: Any = checkpoint.network
    part = None
    if isinstance(network, DecoderRewardModel):
        part = linear_part(network.reward_head)
    if part is None:
        raise CheckpointError(
            f"{checkpoint.name}: a sequence classification model outputs one linear layer at one "
            f"token, but this is {checkpoint.architecture.known_as}: its reward is "
            f"{checkpoint.architecture.reading}, with {_said(network)}."
        )
    _require_no_bias(checkpoint, network, part)
    beginning = family_prefix(checkpoint.config.model_type)
    head = f"{network.head_name}.{part.weight}"
    sources = {
        beginning + name.removeprefix(_BODY): name
        for name, _ in network.named_parameters()
        if name.startswith(_BODY)
    }
    sources[f"{HEAD}.weight"] = head
    is_kept = {beginning + _NORM.removeprefix(_BODY), f"{HEAD}.weight"}
    return sources, part.sign, frozenset(is_kept & sources.keys())


def _said(network: Any) -> str:
    """Describes the head, for messages."""
    head = getattr(network, "reward_head", None)
    if head is None:
        return f"the class {type(network).__name__}"
    layers = [one for one in head.modules() if isinstance(one, nn.Linear)]
    if len(layers) > 1 or any(one.out_features > 1 for one in layers):
        sizes = ", ".join(f"{one.in_features} to {one.out_features}" for one in layers)
        return f"a head of {len(layers)} linear layers ({sizes})"
    return "a head whose output is normalized (with a mean and a standard deviation)"


def _require_no_bias(checkpoint: Checkpoint, network: Any, part: LinearPart) -> None:
    if part.bias is None:
        return
    bias = checkpoint.reader().read(f"{network.head_name}.{part.bias}")
    if bias.any():
        raise CheckpointError(
            f"{checkpoint.name}: its head has the bias {bias.float().flatten()[0].item():.6g}, "
            f"but {HEAD} of transformers' classes has none: every reward would change by it, and "
            "no other weight can represent it exactly. It cannot be converted."
        )


def _stored_as_named(checkpoint: Checkpoint) -> dict[str, str]:
    """The weights of a classifier that transformers' own class reads, as they are stored."""
    stored = renamed_keys(checkpoint.weight_map, checkpoint.weights.keys)
    names = {name for name, _ in checkpoint.network.named_parameters()}
    lacking = sorted(names - stored)
    if lacking:
        raise CheckpointError(
            f"{checkpoint.name}: it is a sequence classification model already, but its weights "
            f"have older names, which transformers renames when loading ({lacking[0]!r} is stored "
            "under another name). Use it unchanged, or load and save it once with transformers."
        )
    known = checkpoint.network.state_dict(keep_vars=True)
    return {name: name for name in known if name in stored}


def _stock_network(name: str, values: Mapping[str, Any]) -> tuple[str, nn.Module]:
    """Transformers' class for a configuration, and the network that it makes, without weights."""
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
    )

    family = str(values.get("model_type"))
    classes = sorted(stock_classes(family, CLASSES))
    if not classes:
        raise CheckpointError(
            f"{name}: transformers has no class of the family {family!r} that ends in "
            f"{CLASS_ENDING}, so there is nothing to convert it to."
        )
    what = f"{name}: transformers cannot build {classes[0]} from its config.json"
    with as_checkpoint_error(what), torch.device("meta"):
        config = CONFIG_MAPPING[family].from_dict(dict(values))
        return classes[0], AutoModelForSequenceClassification.from_config(config)


def _shapes(
    checkpoint: Checkpoint, stock: nn.Module, sources: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """The weights' shapes, after checking that transformers' class has exactly these weights."""
    own = checkpoint.network.state_dict(keep_vars=True)
    found = {name: tuple(own[source].shape) for name, source in sources.items()}
    wanted = {name: tuple(weight.shape) for name, weight in stock.named_parameters()}
    buffers = stock.state_dict(keep_vars=True).keys() - wanted.keys()
    differing = {name for name in wanted if found.get(name) != wanted[name]}
    differing |= found.keys() - wanted.keys() - buffers
    if differing:
        raise CheckpointError(
            f"{checkpoint.name}: transformers' {type(stock).__name__} has other weights than this "
            f"model: {len(differing)}, such as {min(differing)!r}. It cannot be converted."
        )
    return found


def read_numbers(
    checkpoint: Checkpoint, standard: StandardClassifier, dtypes: Mapping[str, torch.dtype]
) -> Callable[[str], torch.Tensor]:
    """Makes a function that reads the weights of a classifier one by one.

    Args:
        checkpoint: The checkpoint.
        standard: The checkpoint as a classifier.
        dtypes: The wanted dtypes, by weight name.

    Returns:
        A function from a weight's name to the weight. It raises a `CheckpointError` if a number is
        too large for the dtype.
    """
    reader = checkpoint.reader()

    def read(name: str) -> torch.Tensor:
        stored = reader.read(standard.sources[name]).reshape(standard.shapes[name])
        made = stored.to(dtypes[name])
        if is_rounded(stored.dtype, made.dtype) and (
            torch.isfinite(made).sum() != torch.isfinite(stored).sum()
        ):
            raise CheckpointError(
                f"{checkpoint.name}: {name} contains numbers that are too large for {made.dtype} "
                "and would become infinite. Remove --dtype, or use bfloat16 or float32."
            )
        return -made if standard.sign < 0 and name == f"{HEAD}.weight" else made

    return read


def is_rounded(stored: torch.dtype, written: torch.dtype) -> bool:
    """Whether the written dtype cannot represent every number of the stored one."""
    return torch.promote_types(stored, written) != written
