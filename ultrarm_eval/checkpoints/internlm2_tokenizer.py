"""InternLM2's tokenizer: the checkpoints' own class for a sentencepiece file.

That class turns the file into a byte pair encoding as Llama's does, but adds a space before a text
only if the file says so. It is never executed: an equivalent is built here, and compared with
sentencepiece itself on texts that would show a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from ultrarm_eval.errors import CheckpointError

#: The names of the tokenizer's class in such checkpoints.
CLASSES = frozenset({"InternLM2Tokenizer", "InternLM2TokenizerFast"})

_UNKNOWN, _BOS, _EOS = "<unk>", "<s>", "</s>"
_SPACE = "▁"
_NOT_ITS_OWN = "It does not belong to an InternLM2 checkpoint. Download it again."
_PROBES = (
    "What is 7 times 8? It is 56.",
    "two  spaces,   three; a tab\tand a line\nand another\n\n",
    "Größe, naïveté, 你好世界。 Привет! 🙂",
    "def f(x):\n    return x ** 2  # ½",
)


def internlm2_tokenizer(name: str, path: Path, stated: Mapping[str, Any]) -> Any:
    """Builds the tokenizer.

    Args:
        name: The checkpoint, for messages.
        path: Its tokenizer.model.
        stated: The content of tokenizer_config.json.

    Returns:
        A fast tokenizer of transformers.

    Raises:
        CheckpointError: It would give other ids than sentencepiece.
    """
    from sentencepiece import SentencePieceProcessor
    from transformers import PreTrainedTokenizerFast

    own = SentencePieceProcessor(model_file=str(path))
    added = _added(stated)
    backend = _backend(own, {number: token.content for number, token in added.items()})
    if not _is_byte_pair_encoding(own):
        raise CheckpointError(
            f"{name}: its {path.name} is not a byte pair encoding. {_NOT_ITS_OWN}"
        )
    for probe in _PROBES:
        if backend.encode(probe, add_special_tokens=False).ids != own.encode(probe):
            raise CheckpointError(
                f"{name}: sentencepiece encodes {probe!r} with its {path.name} differently than "
                f"such a tokenizer. {_NOT_ITS_OWN}"
            )
    backend.add_special_tokens([added[number] for number in sorted(added)])
    wrong = [t.content for number, t in added.items() if backend.token_to_id(t.content) != number]
    if wrong:
        raise CheckpointError(
            f"{name}: tokenizer_config.json gives {wrong[0]!r} an id that does not fit "
            f"{path.name}: the two do not belong together. Download them again."
        )
    bos, eos = (_text(stated.get(f"{kind}_token")) for kind in ("bos", "eos"))
    bos, eos = bos or _BOS, eos or _EOS
    if stated.get("add_bos_token", True):
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B",
            special_tokens=[(bos, backend.token_to_id(bos))],
        )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=bos,
        eos_token=eos,
        unk_token=_text(stated.get("unk_token")) or _UNKNOWN,
        pad_token=_text(stated.get("pad_token")) or eos,
        chat_template=stated.get("chat_template"),
        clean_up_tokenization_spaces=False,
    )


def _backend(own: Any, added: Mapping[int, str]) -> Tokenizer:
    """A byte pair encoding with the pieces of a sentencepiece model, some of them renamed."""
    pieces = [own.id_to_piece(number) for number in range(own.get_piece_size())]
    pieces = [added.get(number, piece) for number, piece in enumerate(pieces)]
    ids = {piece: number for number, piece in enumerate(pieces)}
    scores = {piece: own.get_score(number) for piece, number in ids.items()}
    merges = [
        (-scores[piece], ids[piece[:end]], ids[piece[end:]], (piece[:end], piece[end:]))
        for piece, number in ids.items()
        if number > 2 and not own.is_byte(number)
        for end in range(1, len(piece))
        if piece[:end] in ids and piece[end:] in ids
    ]
    merges.sort()
    backend = Tokenizer(
        models.BPE(
            ids,
            [merge for *_, merge in merges],
            unk_token=_UNKNOWN,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    begins_with_space = own.encode("a", out_type=str)[0].startswith(_SPACE)
    prefix = [normalizers.Prepend(_SPACE)] if begins_with_space else []
    backend.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", _SPACE)])
    backend.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return backend


def _is_byte_pair_encoding(own: Any) -> bool:
    """Whether scores are ranks of merges, and not log probabilities."""
    return all(float(own.get_score(n)).is_integer() for n in range(own.get_piece_size()))


def _added(stated: Mapping[str, Any]) -> dict[int, AddedToken]:
    """The added tokens by their ids; the first three are always there."""
    found = dict(enumerate((_UNKNOWN, _BOS, _EOS)))
    given = stated.get("added_tokens_decoder") or {}
    found |= {int(number): str(token["content"]) for number, token in given.items()}
    return {
        number: AddedToken(content, special=True, normalized=False)
        for number, content in found.items()
    }


def _text(token: Any) -> str | None:
    content = token.get("content") if isinstance(token, dict) else token
    return None if content is None else str(content)
