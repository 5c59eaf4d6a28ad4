"""tokenizer_config.json of the families: ids, special tokens and how a turn is written.

A tokenizer of whole words stands for each family's own: what is recognised does not depend on how
words are split, and the special tokens have their published ids.
"""

from __future__ import annotations

from typing import Any

_CLASS = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}


def _config(tokens: dict[str, int], **fields: Any) -> dict[str, Any]:
    added = {
        str(number): {
            "content": text,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for text, number in tokens.items()
    }
    return {**_CLASS, "added_tokens_decoder": added, **fields}


def _turns(begin: str, middle: str, end: str, first: str = "") -> str:
    turn = "{{ '" + begin + "' + message['role'] + '" + middle + "' + message['content'] + '" + end
    start = "{{ '" + first + "' }}" if first else ""
    return start + "{% for message in messages %}" + turn + "' }}{% endfor %}"


def llama2(pad: str | None = None, **fields: Any) -> dict[str, Any]:
    tokens = {"<unk>": 0, "<s>": 1, "</s>": 2, **({pad: 32000} if pad else {})}
    marks = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    if pad:
        marks["pad_token"] = pad
    return _config(tokens, **marks, **fields)


def mistral(pad: str | None = None) -> dict[str, Any]:
    return llama2(pad, chat_template=_turns(" [", "] ", "</s>", "<s>"))


def with_words(tokenizer: dict[str, Any], words: dict[str, int]) -> dict[str, Any]:
    """A tokenizer with tokens for words by which a model is read."""
    added = _config(words)["added_tokens_decoder"]
    plain = {number: {**token, "special": False} for number, token in added.items()}
    return {
        **tokenizer,
        "added_tokens_decoder": {**tokenizer["added_tokens_decoder"], **plain},
    }


def llama3(pad: str | None = None, **fields: Any) -> dict[str, Any]:
    tokens = {
        "<|begin_of_text|>": 128000,
        "<|end_of_text|>": 128001,
        "<|reserved_special_token_0|>": 128002,
        "<|reserved_special_token_1|>": 128003,
        "<|finetune_right_pad_id|>": 128004,
        "<|start_header_id|>": 128006,
        "<|end_header_id|>": 128007,
        "<|eot_id|>": 128009,
    }
    if pad is not None and pad not in tokens:
        tokens[pad] = 128256
    template = _turns(
        "<|start_header_id|>", "<|end_header_id|>\\n\\n", "<|eot_id|>", "<|begin_of_text|>"
    )
    return _config(
        tokens,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=template,
        **({"pad_token": pad} if pad else {}),
        **fields,
    )


def qwen(**fields: Any) -> dict[str, Any]:
    tokens = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
    template = _turns("<|im_start|>", "\\n", "<|im_end|>\\n")
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return _config(tokens, chat_template=template, **{**marks, **fields})


def qwen_prm() -> dict[str, Any]:
    config = qwen()
    config["added_tokens_decoder"]["151651"] = {
        **config["added_tokens_decoder"]["151645"],
        "content": "<extra_0>",
    }
    return config


def qwen3_5() -> dict[str, Any]:
    tokens = {"<|endoftext|>": 248044, "<|im_start|>": 248045, "<|im_end|>": 248046}
    template = _turns("<|im_start|>", "\\n", "<|im_end|>\\n")
    return _config(
        tokens, chat_template=template, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def gemma() -> dict[str, Any]:
    tokens = {
        "<pad>": 0,
        "<eos>": 1,
        "<bos>": 2,
        "<unk>": 3,
        "<start_of_turn>": 106,
        "<end_of_turn>": 107,
    }
    return _config(
        tokens,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        chat_template=_turns("<start_of_turn>", "\\n", "<end_of_turn>\\n", "<bos>"),
    )


def internlm2(name: str) -> dict[str, Any]:
    """With a tokenizer class of its own, as published."""
    tokens = {
        "<unk>": 0,
        "<s>": 1,
        "</s>": 2,
        "[UNUSED_TOKEN_130]": 92527,
        "<|im_end|>": 92542,
        "<|im_start|>": 92543,
    }
    own = ["tokenization_internlm2.InternLM2Tokenizer", "tokenization_internlm2_fast." + name]
    return _config(
        tokens,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        auto_map={"AutoTokenizer": own},
        chat_template=_turns("<|im_start|>", "\\n", "<|im_end|>\\n", "<s>"),
    )


def deberta(*more: tuple[str, int]) -> dict[str, Any]:
    tokens = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "[MASK]": 128000, **dict(more)}
    return _config(
        tokens,
        bos_token="[CLS]",
        cls_token="[CLS]",
        eos_token="[SEP]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
    )


def modernbert() -> dict[str, Any]:
    tokens = {"[UNK]": 50280, "[CLS]": 50281, "[SEP]": 50282, "[PAD]": 50283, "[MASK]": 50284}
    return _config(
        tokens,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_max_length=8192,
    )


def gpt2() -> dict[str, Any]:
    token = "<|endoftext|>"
    return _config({token: 50256}, bos_token=token, eos_token=token, pad_token=token)


def pythia(pad: str = "[PAD]") -> dict[str, Any]:
    tokens = {"<|endoftext|>": 0, "<|padding|>": 1, "[PAD]": 50277}
    return _config(tokens, bos_token="<|endoftext|>", eos_token="<|endoftext|>", pad_token=pad)


def t5() -> dict[str, Any]:
    tokens = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    return _config(tokens, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
