"""Texts by which it is seen that a converted checkpoint is given what its source is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import CheckpointError, UltrarmEvalError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt

_PROMPTS: tuple[Prompt, ...] = (
    None,
    "What is 7 times 8?",
    [
        {"role": "user", "content": "Name a river."},
        {"role": "assistant", "content": "The Elbe is one."},
        {"role": "user", "content": "And where does it end?"},
    ],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is blue?"}],
)
_COMPLETIONS = (
    "",
    "It is 56.",
    "  Two spaces before, and a line end behind.\n",
    "tab\tand  spaces \r\n\r\n",
    "日本語 العربية हिन्दी ไทย Ελληνικά русский",
    "🙂👩‍👩‍👧 \U00012000 \ue000 e\u0301 \u200b\u202e",
    "<think>well</think> yes <|im_end|> [INST] </s>",
    "word " * 4000,
)
_MOST_SPECIAL = 8


@dataclass(frozen=True)
class ProbeText:
    """A text as a judge gives it to its network.

    Attributes:
        ids: Its tokens; empty where the judge refuses it.
        read_at: The places at which it is read.
    """

    ids: tuple[int, ...]
    read_at: tuple[int, ...]


Probes = Mapping[tuple[int, str], ProbeText]


def ids_of_probes(judge: CheckpointJudge) -> Probes:
    """The probes as a judge gives them to its network, by the number of the prompt and completion.

    Args:
        judge: The judge; its weights are not loaded.
    """
    return {
        (number, completion): _text(judge, prompt, completion)
        for number, prompt in enumerate(_PROMPTS)
        for completion in (*_COMPLETIONS, *_special(judge))
    }


def _special(judge: CheckpointJudge) -> Sequence[str]:
    """Answers that spell special tokens of the judge's tokenizer."""
    added = judge.tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
    spelled = sorted(token.content for token in added if token.special)
    return [f"a {token} b {token}" for token in spelled[:_MOST_SPECIAL]]


def _text(judge: CheckpointJudge, prompt: Prompt, completion: str) -> ProbeText:
    try:
        tokens = judge.encoded(prompt, completion)
    except UltrarmEvalError:
        # A template that takes no system turn, or a text without any token.
        return ProbeText((), ())
    return ProbeText(tuple(tokens), judge.read_at(tokens))


def require_same_texts(
    source: CheckpointJudge, texts: Probes, converted: CheckpointJudge, *, reads_padding: bool
) -> None:
    """Refuses a conversion whose texts are others, or are read elsewhere by transformers' class.

    Args:
        source: The judge of the source.
        texts: The probes as it reads them.
        converted: The judge of the converted checkpoint.
        reads_padding: Whether the source itself is read as transformers' class reads.

    Raises:
        CheckpointError: It is so.
    """
    template = converted.settings()["template"]
    found = ids_of_probes(converted)
    differing = [key for key in texts if texts[key] != found.get(key)]
    if template != source.settings()["template"] or differing:
        what = f"of {len(texts)} probes {len(differing)} have other ids"
        raise CheckpointError(
            f"{source.checkpoint.name}: the converted checkpoint is not given the same texts: "
            f"{what}, and its template is {template}. It is not kept. If the judge or its tokenizer"
            " is of another package, it cannot be converted; else please report this."
        )
    pad = converted.checkpoint.config.pad_token_id
    for text in () if reads_padding else found.values():
        if text.ids and text.read_at != (_stock_place(text.ids, pad),):
            raise CheckpointError(
                f"{source.checkpoint.name}: no padding token was found with which transformers' "
                f"class reads a text where this judge does ({pad}). It is not converted."
            )


def _stock_place(ids: Sequence[int], pad: int | None) -> int:
    """Where transformers' class reads a text that stands alone: the last token that is no padding.

    The first where all are.
    """
    return max((place for place, token in enumerate(ids) if token != pad), default=0)
