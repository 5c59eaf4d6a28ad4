"""A byte-level tokenizer with ChatML turns, as Qwen's models have, and chat templates for it."""

from __future__ import annotations

from typing import Any

TURNS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
REASONING = ("<think>", "</think>")
CHATML = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
)
#: Cuts what was thought before an answer, in a conversation's turns and in its last one alike.
WITHOUT_REASONING = (
    "{% for m in messages %}"
    "{% set content = m.content %}"
    "{% if m.role == 'assistant' and '</think>' in content %}"
    "{% set content = content.split('</think>')[-1].lstrip('\\n') %}"
    "{% endif %}"
    "{{ '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}"
    "{% endfor %}"
)
#: Writes the reasoning of the last turn in its own form.
REASONING_REWRITTEN = (
    "{% for m in messages %}"
    "{% set content, reasoning = m.content, '' %}"
    "{% if m.role == 'assistant' and '</think>' in content %}"
    "{% set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1] %}"
    "{% set reasoning = reasoning.lstrip('\\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\\n') %}"
    "{% endif %}"
    "{% if m.role == 'assistant' and loop.last %}"
    "{% set content = '<think>\\n' + reasoning + '\\n</think>\\n\\n' + content %}"
    "{% endif %}"
    "{{ '<|im_start|>' + m.role + '\\n' + content + '<|im_end|>\\n' }}"
    "{% endfor %}"
)
#: Gemma's: no system turn, and user and assistant in turn.
USER_AND_ASSISTANT_IN_TURN = (
    "{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
)


def chatml_tokenizer(template: str = CHATML, *, reasoning_is_special: bool = False) -> Any:
    """Makes the tokenizer: every byte, the turns' special tokens, and two for reasoning."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {byte: number for number, byte in enumerate(alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(TURNS))
    backend.add_tokens([AddedToken(t, special=reasoning_is_special) for t in REASONING])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = template
    return tokenizer
