"""Templates of published reward models whose tokenizers have none."""

import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.text_format.template_lookup import get_template

TURNS = [
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Elbe."},
    {"role": "user", "content": "And {}?"},
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "beaver",
            "BEGINNING OF CONVERSATION: USER: Name a river. ASSISTANT:The Elbe.</s>"
            "USER: And {}? ASSISTANT:The Rhine.",
        ),
        (
            "starling",
            "<s>[INST] Name a river. </s> [/INST] The Elbe.</s>"
            "<s>[INST] And {}? </s> [/INST] The Rhine.</s>",
        ),
        (
            "starling-34b",
            "<|im_start|>user\nName a river.<|im_end|>\n<|im_start|>assistant\nThe Elbe.<|im_end|>\n"
            "<|im_start|>user\nAnd {}?<|im_end|>\n<|im_start|>assistant\nThe Rhine.<|im_end|>",
        ),
    ],
)
def test_every_turn_is_written_in_its_form(name, text):
    assert get_template(name).render(TURNS, "The Rhine.") == text


@pytest.mark.parametrize("name", ["beaver", "starling"])
def test_a_role_that_has_no_form_is_refused(name):
    turns = [{"role": "system", "content": "Be brief."}, *TURNS]
    with pytest.raises(
        ConfigurationError, match="role 'system'; this template supports user, assist"
    ):
        get_template(name).render(turns, "The Rhine.")


def test_chatml_writes_a_system_turn():
    turns = [{"role": "system", "content": "Be brief."}]
    text = get_template("starling-34b").render(turns, "So.")
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>assistant\n")
