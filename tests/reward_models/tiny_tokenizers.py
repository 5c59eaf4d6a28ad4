"""Small tokenizers in the layouts of Llama 3, Qwen 2.5 and Mistral, and chat templates for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Llama 3's and Qwen 2.5's splitting rule; punctuation keeps the newlines that follow it.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: Single tokens of the real vocabularies that a reading depends on. Merges are made in this order.
WORDS = (
    "assistant",
    "user",
    "system",
    "Yes",
    "No",
    "\n\n",
    ".\n",
    ".\n\n",
    "?\n",
    " +",
    " -",
    " the",
    " of",
    "Step",
)

LLAMA_3_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|finetune_right_pad_id|>",
)
#: Llama 3's turns. The template writes BOS itself, so a tokenizer that adds one doubles it.
LLAMA_3_TEMPLATE = (
    "{% for m in messages %}"
    "{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
#: Llama 3.1's, which opens with a system turn of its own.
LLAMA_31_TEMPLATE = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\n"
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' + system + '<|eot_id|>' }}"
    "{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>")
#: Qwen 2.5 Math's turns, with the system turn that it puts where a conversation has none.
QWEN_MATH_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nPlease reason step by step, and put your final answer within "
    "\\\\boxed{}.<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def save_byte_level(
    folder: Path,
    *,
    special_tokens: tuple[str, ...],
    template: str | None,
    adds_bos: str | None = None,
    pairs: tuple[str, str] | None = None,
    **named: str | None,
) -> Any:
    """Writes a byte-level BPE tokenizer: 256 bytes, `WORDS`, then the special tokens.

    Args:
        folder: where `tokenizer.json` and `tokenizer_config.json` go.
        special_tokens: in the order of their ids, which follow the vocabulary's.
        template: the chat template, or None.
        adds_bos: the token that `encode` puts before every text, as Llama 3's tokenizer does.
        pairs: an encoder's tokens before a text, and after each of its one or two parts.
        named: `bos_token`, `eos_token`, `pad_token`.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {
        byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        written = word.replace(" ", "Ġ").replace("\n", "Ċ")
        for end in range(2, len(written) + 1):
            if written[:end] not in vocabulary:
                vocabulary[written[:end]] = len(vocabulary)
                merges.append((written[: end - 1], written[end - 1]))
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special_tokens))
    if adds_bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{adds_bos} $A",
            pair=f"{adds_bos} $A {adds_bos} $B",
            special_tokens=[(adds_bos, backend.token_to_id(adds_bos))],
        )
    if pairs:
        start, end = pairs
        backend.post_processor = processors.TemplateProcessing(
            single=f"{start} $A {end}",
            pair=f"{start} $A {end} $B {end}",
            special_tokens=[(token, backend.token_to_id(token)) for token in pairs],
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        **{name: token for name, token in named.items() if token is not None},
    )
    if template is not None:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    _written_as_published(folder)
    return tokenizer


def save_llama_3(
    folder: Path, *, template: str | None = LLAMA_3_TEMPLATE, pad_token: str | None = None
) -> Any:
    """Writes Llama 3's: BOS before every encoded text, `<|eot_id|>` at the end of a turn."""
    return save_byte_level(
        folder,
        special_tokens=LLAMA_3_TOKENS,
        template=template,
        adds_bos="<|begin_of_text|>",
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token=pad_token,
    )


def save_mistral(folder: Path) -> Any:
    """Writes Mistral's: sentencepiece BPE with byte fallback, `<s>` before every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    for character in ["▁", *map(chr, range(33, 127)), "к", "и"]:
        vocabulary[character] = len(vocabulary)
    merges = []
    # `ки` and `▁ки` are tokens both, and so are `+` and `▁+`: the reading asks for the second.
    for first, second in (("к", "и"), ("▁", "ки"), ("▁", "+"), ("▁", "-"), ("t", "e")):
        vocabulary[first + second] = len(vocabulary)
        merges.append((first, second))
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(folder)
    _written_as_published(folder)
    return tokenizer


def load(folder: Path) -> Any:
    """Loads what was written, by the class that its config names.

    `AutoTokenizer` reads the model's config first, and fails where transformers refuses that.
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def conversation(prompt: str | list[dict[str, str]], completion: str) -> list[dict[str, str]]:
    """The turns of a prompt, which may be turns already, and of its answer."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    return [*turns, {"role": "assistant", "content": completion}]


def rendered_ids(tokenizer: Any, turns: list[dict[str, str]], **options: Any) -> list[int]:
    """The ids of a rendered conversation: what the template wrote, with nothing added to it."""
    text = tokenizer.apply_chat_template(turns, tokenize=False, **options)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _written_as_published(folder: Path) -> None:
    """Names the class that published files name, whatever this transformers calls it."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    config["model_max_length"] = 4096
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
