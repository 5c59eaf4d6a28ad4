from types import SimpleNamespace

import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import as_messages
from ultrarm_eval.text_format.plain_templates import template_for
from ultrarm_eval.text_format.template_lookup import TEMPLATE_NAMES, get_template


def render(template, prompt, completion):
    messages = as_messages(prompt)
    return template_for(template, messages).render(messages, completion)


CONVERSATION = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
]


@pytest.mark.parametrize(
    ("name", "single", "several"),
    [
        ("ultrarm", "Human: q\n\nAssistant: a", "Human: q1\n\nAssistant: a1\n\nHuman: q2\n\nAssistant: a"),
        ("ultrarm-one-newline", "Human: q\nAssistant: a", "Human: q1\nAssistant: a1\nHuman: q2\nAssistant: a"),
        ("rewardbench", "User: q\n\nAssistant: a\n\n", "User: q1\n\nAssistant: a1\n\nUser: q2\n\nAssistant: a\n\n"),
        ("raw", "a", "a"),
    ],
)  # fmt: skip
def test_plain_templates_write_the_published_forms(name, single, several):
    template = get_template(name)
    assert render(template, "q", "a") == single
    assert render(template, CONVERSATION, "a") == several
    assert template.append_eos == (name == "rewardbench")


def test_without_a_prompt_the_completion_stands_alone():
    assert render(get_template("ultrarm"), None, "a") == "a"


def test_an_unknown_name_lists_the_names_there_are():
    with pytest.raises(ConfigurationError, match="Did you mean 'ultrarm'") as error:
        get_template("ultram")
    assert all(name in str(error.value) for name in TEMPLATE_NAMES)


def test_chat_without_a_chat_template_is_refused():
    with pytest.raises(ConfigurationError, match="this one has none"):
        get_template("chat", SimpleNamespace(chat_template=None))


def test_a_jinja_file_sees_messages_prompt_completion_and_tokens(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text(
        "{{ bos_token }}{% for m in prompt %}[{{ m.role }}] {{ m.content }} {% endfor %}"
        "=> {{ completion }} ({{ messages | length }}){{ eos_token }}"
    )
    template = get_template(str(file), SimpleNamespace(bos_token="<s>", eos_token="</s>"))
    assert render(template, "q", "a") == "<s>[user] q => a (2)</s>"


def test_a_jinja_file_with_an_unknown_variable_says_which_file(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text("{{ completions }}")
    with pytest.raises(ConfigurationError, match="mine.jinja failed: 'completions' is undefined"):
        render(get_template(str(file)), "q", "a")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigurationError, match="no/such.jinja' does not exist"):
        get_template("no/such.jinja")


def test_a_role_without_a_place_in_the_template_is_refused():
    with pytest.raises(ConfigurationError, match="role 'tool'"):
        render(get_template("ultrarm"), [{"role": "tool", "content": "x"}], "a")
