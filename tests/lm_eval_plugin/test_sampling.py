"""Whether an answer is as long as it was allowed to be."""

import pytest

from ultrarm_eval.lm_eval_plugin.sampling import is_truncated, token_counter


class Model:
    def tok_encode(self, text):
        return [len(word) for word in text.split()]


class NoTokens:
    def tok_encode(self, text):
        return None


class ItsText:
    """As models behind an interface do that have no tokenizer."""

    def tok_encode(self, text):
        return text


class ItsTexts:
    def tok_encode(self, text):
        return [text]


class Refusing:
    def tok_encode(self, text):
        raise NotImplementedError


@pytest.mark.parametrize("name", ["max_gen_toks", "max_new_tokens", "max_tokens"])
@pytest.mark.parametrize(
    ("tokens", "limit", "expected"),
    [(0, 4, False), (3, 4, False), (4, 4, True), (5, 4, True), (1013, 1024, False), (1014, 1024, True)],
)  # fmt: skip
def test_answers_near_the_limit_are_cut(name, tokens, limit, expected):
    count = token_counter(Model())
    assert is_truncated("word " * tokens, count, {name: limit}) is expected


def test_what_is_not_known_is_not_said():
    assert is_truncated("word", token_counter(Model()), {}) is None
    for model in (None, NoTokens(), ItsText(), ItsTexts(), Refusing()):
        assert is_truncated("word", token_counter(model), {"max_gen_toks": 1}) is None
