import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import as_messages, as_plain_text


def test_a_text_is_one_user_turn():
    assert as_messages("hi") == ({"role": "user", "content": "hi"},)


def test_none_is_no_turn():
    assert as_messages(None) == ()


def test_a_message_without_content_is_refused_with_its_position():
    with pytest.raises(ConfigurationError, match="Message 1 .* 'role' and 'content'"):
        as_messages([{"role": "user", "content": "a"}, {"role": "assistant"}])


def test_one_user_turn_as_plain_text_stands_for_itself():
    assert as_plain_text(as_messages("hi")) == "hi"


def test_several_turns_as_plain_text_are_labelled():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert as_plain_text(as_messages(turns)) == "User: a\n\nAssistant: b"
