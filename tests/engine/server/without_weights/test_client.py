"""The key that is sent to servers: it is named where it is refused, and never quoted."""

import json
import logging

import pytest

from tests.engine.server.protocols import VllmProtocol
from tests.engine.server.without_weights.computed import computed
from ultrarm_eval.errors import ConfigurationError


class TestKey:
    def test_is_sent_and_never_said(self, server, engine, texts, wanted, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("ULTRARM_EVAL_API_KEY", "secret-key-123")
        one = server(key="secret-key-123")
        made = engine(one)
        assert computed(made, texts) == wanted
        reported = [made.described(), made.identity(), made.version]
        assert "secret" not in json.dumps(reported) + caplog.text

    def test_that_is_refused_is_not_quoted(self, server, engine, monkeypatch):
        monkeypatch.setenv("ULTRARM_EVAL_API_KEY", "secret-key-123")
        protocol = VllmProtocol()
        protocol.unauthorized = {"error": {"message": "no access with Bearer secret-key-123"}}
        one = server(protocol, key="another")
        with pytest.raises(
            ConfigurationError, match="401.*ULTRARM_EVAL_API_KEY was sent"
        ) as caught:
            engine(one).prepare()
        assert "secret" not in str(caught.value)

    def test_that_is_missing_is_named(self, server, engine, monkeypatch):
        monkeypatch.delenv("ULTRARM_EVAL_API_KEY", raising=False)
        one = server(key="another")
        with pytest.raises(ConfigurationError, match="No key was sent: .*ULTRARM_EVAL_API_KEY"):
            engine(one).prepare()

    def test_with_a_line_break_is_refused(self, server, engine, monkeypatch):
        monkeypatch.setenv("MY_KEY", "abc\r\nX-Other: 1")
        with pytest.raises(ConfigurationError, match="MY_KEY") as caught:
            engine(server(), api_key_env="MY_KEY").prepare()
        assert "abc" not in str(caught.value)
