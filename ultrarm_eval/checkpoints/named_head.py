"""A decoder with a head that the user names, and the names of the heads in a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes
from ultrarm_eval.checkpoints.stock_classes import family_prefix
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_weights import LANGUAGE_HEADS
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.checkpoints.weights import IN_FILE
from ultrarm_eval.errors import CheckpointError, OtherKindError

# The first layer of a body; families name their list of layers differently.
_FIRST_LAYER = re.compile(r"^((?:\w+\.)*?)(?:decoder\.)?(?:layers|layer|h|blocks)\.0\.")
_PARTS = ("weight", "bias")
_PART = re.compile(rf"(\.\d+)?\.({'|'.join(_PARTS)})$")
_LANGUAGE_HEAD = re.compile("|".join(LANGUAGE_HEADS))
_SHOWN = 8
# Where LLaMA-Factory saves a reward model's head, next to a language model's weights.
_HEAD_FILES = ("value_head.safetensors", "value_head.bin")


def body_beginning(survey: Survey) -> str:
    """The prefix of the body's weight names in a checkpoint's files.

    Args:
        survey: The checkpoint's small files.
    """
    found = {match[1] for key in survey.keys if (match := _FIRST_LAYER.match(key))}
    named = family_prefix(survey.model_type)
    return min(found, key=lambda begin: (begin != named, len(begin), begin), default=named)


def head_files(survey: Survey) -> list[str]:
    """The separate files of a checkpoint that contain a value head.

    Args:
        survey: The checkpoint's small files.
    """
    return [file for file in _HEAD_FILES if survey.fetch(file) is not None]


def heads_behind_body(survey: Survey) -> list[str]:
    """The names of possible reward heads: linear layers, the last of them with one output.

    Args:
        survey: The checkpoint's small files.
    """
    found = []
    survey = survey.with_files(head_files(survey))
    for name, keys in _groups(survey).items():
        weights = sorted((key for key in keys if key.endswith(_PARTS[0])), key=_place)
        shape = survey.shape(weights[-1]) if weights else None
        if shape is not None and len(shape) == 2 and shape[0] == 1:
            found.append(name)
    return found


def _groups(survey: Survey) -> dict[str, list[str]]:
    """The weights after the body, except language heads, by the name of their module."""
    body = body_beginning(survey)
    groups: dict[str, list[str]] = {}
    for key in sorted(survey.keys):
        is_behind = not (body and key.startswith(body)) and not _FIRST_LAYER.match(key)
        if is_behind and _PART.search(key) and not _LANGUAGE_HEAD.search(key):
            groups.setdefault(_PART.sub("", key), []).append(key)
    return groups


def _place(key: str) -> int:
    match = _PART.search(key)
    return int(match[1][1:]) if match and match[1] else 0


class NamedHead(HeadedDecoder):
    """A decoder of any family of transformers, and a head that the user names."""

    classes = frozenset()
    # The user names only the head: the checkpoint's code could compute another body.
    is_known_code = False

    def __init__(self, head: str | None = None) -> None:
        """Takes the head's name.

        Args:
            head: The name of a weight, `v_head.weight`, or a prefix of several, `v_head` or
                `v_head.summary`; after a file name and a colon if it is in a separate file,
                `value_head.bin:v_head.summary`; None without a checkpoint.
        """
        file = (head or "").rpartition(IN_FILE)[0]
        self.further_files = (file,) if file else ()
        self._head = None if head is None else head.removesuffix(".").removesuffix(".weight")
        called = "a head named with head=NAME" if head is None else f"the head {self._head}"
        self.known_as = f"a decoder with {called}"
        self.reading = f"the output of {'that head' if head is None else called} at the last token"

    def arguments(self) -> dict[str, Any]:
        """See `Architecture.arguments`."""
        return {"head": self._head}

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; never, as a head's name does not tell its use."""
        return False

    def known_classes(self, survey: Survey) -> frozenset[str]:
        """See `HeadedDecoder.known_classes`; all, as the user states what they compute."""
        return frozenset(survey.classes)

    def body_of(self, survey: Survey) -> str:
        """See `HeadedDecoder.body_of`."""
        return body_beginning(survey)

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`.

        Raises:
            CheckpointError: There are no such weights, or they belong to the body.
        """
        if self._head is None:
            raise OtherKindError(f"{survey.name}: no head was named. Set head=NAME.")
        begin = f"{self._head}."
        keys = [key for key in survey.keys if key.startswith(begin)]
        body = body_beginning(survey)
        if not keys or (body and begin.startswith(body)):
            raise CheckpointError(self._not_there(survey, is_body=bool(keys)))
        # `v_head` may have `v_head.summary` as its only layer.
        while len(firsts := {key[len(begin) :].split(".")[0] for key in keys}) == 1:
            (first,) = firsts
            if first.isdecimal() or first in _PARTS:
                break
            begin += f"{first}."
        return {key[len(begin) :]: WeightSource.of(key) for key in keys}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`; with a ReLU between layers."""
        return head_of_shapes(shapes, config.hidden_size, name=f"head={self._head}")

    def _not_there(self, survey: Survey, *, is_body: bool) -> str:
        others = list(_groups(survey))
        listed = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        what = "is a part of the body" if is_body else "names none of its weights"
        return f"{survey.name}: head={self._head} {what}. " + (
            f"After the body it has: {listed}." if others else "It has no weights after the body."
        )
