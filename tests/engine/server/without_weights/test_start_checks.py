"""What is found out about a server before it is asked for rewards."""

import dataclasses
import random

import pytest

from tests.engine.server.misbehaviour import (
    CutOnTheLeft,
    Shuffled,
    Sigmoid,
    SigmoidOverAll,
    refuses,
)
from tests.engine.server.text_protocols import SglangProtocol
from tests.engine.server.without_weights.computed import computed, value_of
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.text_format.tokens import Tokens


class TestStart:
    def refused(self, engine, *servers, error=ConfigurationError, **settings):
        with pytest.raises(error) as caught:
            engine(*servers, **settings).prepare()
        return str(caught.value)

    def test_says_what_is_served_instead(self, server, engine):
        text = self.refused(engine, server(name="other/model"))
        assert "'other/model'" in text
        assert "served_model=other/model" in text

    def test_takes_the_name_that_the_user_gives(self, server, engine):
        engine(server(name="other/model"), served_model="other/model").prepare()
        text = self.refused(engine, server(), served_model="x")
        assert "'demo'" in text

    def test_knows_a_folder_by_its_name_and_its_root(self, server, engine, tmp_path):
        folder = tmp_path / "tiny-model"
        folder.mkdir()
        engine(server(name="tiny-model"), pretrained=str(folder)).prepare()
        one = server(name="alias", root=str(folder))
        made = engine(one, pretrained=str(folder))
        made.prepare()
        assert made.described()["served_model"] == "alias"

    def test_refuses_a_server_that_takes_shorter_texts(self, server, engine):
        text = self.refused(engine, server(max_model_len=128))
        assert "max_length=128" in text

    @pytest.mark.parametrize("protocol", ["vllm", "tei", "sglang"])
    def test_refuses_a_sigmoid(self, protocol, server, engine):
        one = server(protocol)
        one.misbehave(SigmoidOverAll() if protocol == "sglang" else Sigmoid())
        assert "sigmoid" in self.refused(engine, one, protocol=protocol)

    def test_raw_values_within_0_and_1_are_known_by_their_sigmoid(self, server, engine, texts):
        one = server(score=lambda ids: value_of(ids) / 8 + 0.5)
        found = computed(engine(one), texts[:4])
        assert found[0] == pytest.approx(value_of(list(texts[0])) / 8 + 0.5, abs=1e-5)

    @pytest.mark.parametrize(
        ("score", "words"), [(lambda _: 1.0, "softmax"), (lambda _: 0.25, "different texts")]
    )
    def test_refuses_constants(self, score, words, server, engine):
        assert words in self.refused(engine, server(score=score))

    def test_refuses_values_in_another_order(self, server, engine):
        one = server()
        one.misbehave(Shuffled())
        assert "another order" in self.refused(engine, one)

    def test_refuses_another_tokenizer(self, server, engine):
        one = server(read=lambda text: [1, *(ord(c) % 300 for c in text)])
        assert "another tokenizer" in self.refused(engine, one)

    def test_refuses_a_smaller_vocabulary(self, server, engine, tokenizer):
        one = server(vocabulary_size=len(tokenizer) - 1)
        assert f"token id {len(tokenizer) - 1}" in self.refused(engine, one)

    def test_the_vocabulary_is_asked_for_within_the_longest_text(self, server, engine, served):
        longest = 12
        one = server()
        one.misbehave(refuses(lambda sent: max(map(len, sent)) > longest, 400, "too long"))
        for length in (longest, 1):
            model = dataclasses.replace(
                served,
                encode=lambda p, c, n=length: [
                    Tokens.of(list(text)[:n]) for text in served.encode(p, c)
                ],
            )
            made = engine(one, model=model)
            if length > 1:
                made.prepare()
            else:
                with pytest.raises(ConfigurationError, match="for 1 different texts"):
                    made.prepare()

    def test_refuses_servers_that_differ(self, server, engine):
        text = self.refused(engine, server(), server(score=lambda ids: value_of(ids) * 1.1))
        assert "another model" in text

    def test_refuses_a_dtype_that_is_another(self, server, engine):
        one = server("tei", dtype="float16")
        assert "dtype=float16" in self.refused(engine, one, protocol="tei")

    @pytest.mark.parametrize("protocol", ["tei", "sglang"])
    def test_refuses_texts_whose_bos_would_be_doubled(self, protocol, server, engine, tokenizer):
        sglang = SglangProtocol(takes_ids=False, tokenizes=True)
        one = server(
            sglang if protocol == "sglang" else protocol,
            read=lambda text: [1, *tokenizer(text)["input_ids"]],
        )
        assert "a token before" in self.refused(engine, one, protocol=protocol)

    def test_sees_a_cut_by_the_count_of_tokens(self, server, engine):
        one = server()
        one.misbehave(CutOnTheLeft(4))
        assert "truncates" in self.refused(engine, one)

    def test_says_of_each_server_why_none_answers(self, engine):
        urls = ("http://127.0.0.1:9", "http://127.0.0.1:11")
        text = self.refused(engine, *urls, error=ScoringError)
        assert all(url in text for url in urls)

    def test_goes_on_without_a_server_that_does_not_answer(
        self, server, engine, texts, wanted, caplog
    ):
        made = engine(server(), "http://127.0.0.1:9")
        assert computed(made, texts) == wanted
        assert "Server http://127.0.0.1:9 failed and will be retried" in caplog.text

    def test_takes_values_that_round_in_another_way(self, server, engine, texts):
        one = server(score=lambda ids: value_of(ids) + random.uniform(-1, 1) * 1e-5)
        assert len(computed(engine(one), texts)) == len(texts)


class TestDtype:
    @pytest.mark.parametrize(("given", "warns"), [("auto", True), ("float32", False)])
    def test_of_a_float32_checkpoint_is_to_be_said(
        self, server, engine, texts, caplog, given, warns
    ):
        computed(engine(server(), dtype=given), texts[:2])
        assert ("Start the servers with --dtype float32" in caplog.text) == warns
