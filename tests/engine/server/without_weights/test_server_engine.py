"""The engine against servers that do as they should, and that do not."""

import dataclasses
import gc
import json
import logging
import math
import os
import random
import threading
import time

import pytest
from aiohttp import web

from tests.engine.server.without_weights.computed import (
    computed,
    computed_until_error,
    value_of,
)
from ultrarm_eval.engine.server.server_engine import ServerEngine
from ultrarm_eval.errors import ConfigurationError, ScoringError, TextRefusedError
from ultrarm_eval.settings import CheckpointSettings, make_settings
from ultrarm_eval.text_format.tokens import Tokens

PROTOCOLS = ("vllm", "sglang", "tei")
BUSY = lambda *_: web.json_response({"error": {"message": "busy"}}, status=429)  # noqa: E731


def said(status, words, **headers):
    return web.json_response({"error": {"message": words}}, status=status, headers=headers)


class TestRewards:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_are_those_of_the_ids(self, protocol, server, engine, texts, wanted):
        one = server()
        assert computed(engine(one, protocol=protocol), texts) == wanted

    def test_come_through_classify_where_there_is_no_pooling(self, server, engine, texts, wanted):
        one = server()
        one.has_pooling = False
        assert computed(engine(one), texts) == wanted

    def test_come_through_texts_where_sglang_takes_no_ids(self, server, engine, texts, wanted):
        one = server()
        one.takes_ids = False
        assert computed(engine(one, protocol="sglang"), texts) == wanted
        assert "text" in one.requests[-1]

    def test_several_calls_use_the_same_checks(self, server, engine, texts):
        one = server()
        made = engine(one)
        assert len(computed(made, texts[:5])) == 5
        checked = len(one.requests)
        assert len(computed(made, texts[5:9])) == 4
        assert len(one.requests) == checked + 1

    def test_of_no_texts_are_none(self, server, engine):
        assert computed(engine(server()), []) == {}

    def test_of_two_threads_do_not_mix(self, server, engine, texts, wanted):
        made, found = engine(server(), server()), {}

        def part(name, some):
            found.update({some[i]: v for i, v in computed(made, [texts[i] for i in some]).items()})

        parts = [list(range(0, 60, 2)), list(range(1, 60, 2))]
        threads = [threading.Thread(target=part, args=(i, p)) for i, p in enumerate(parts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == wanted

    def test_that_are_nan_are_handed_out(self, server, engine, texts, wanted):
        one = server()
        bad = list(texts[7])
        one.change = lambda sent, values: [
            math.nan if ids == bad else v for ids, v in zip(sent, values, strict=True)
        ]
        found = computed(engine(one), texts)
        assert math.isnan(found.pop(7))
        del wanted[7]
        assert found == wanted


class TestRequests:
    def test_ask_for_raw_values_of_ids_and_never_for_truncation(self, server, engine, texts):
        one = server()
        computed(engine(one), texts)
        body = one.requests[-1]
        assert body["use_activation"] is False
        assert "truncate_prompt_tokens" not in json.dumps(body)
        assert body["model"] == "demo"

    def test_are_bounded_in_texts_and_tokens(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=8, max_batch_tokens=200)
        made.prepare()
        checked = len(one.requests)
        computed(made, texts)
        sent = [body["input"] for body in one.requests[checked:]]
        known = set(map(tuple, texts))
        asked = [[ids for ids in one if tuple(ids) in known] for one in sent]
        assert all(2 <= len(ids) - len(own) <= 6 for ids, own in zip(sent, asked, strict=True))
        assert all(len(own) <= 8 and sum(map(len, own)) <= 200 for own in asked)
        assert sum(map(len, asked)) == len(texts)

    def test_go_to_all_servers(self, server, engine, texts):
        servers = [server() for _ in range(3)]
        made = engine(*servers)
        made.prepare()
        before = [len(one.requests) for one in servers]
        computed(made, texts)
        assert all(len(s.requests) > b for s, b in zip(servers, before, strict=True))

    def test_stay_under_way_up_to_num_concurrent(self, server, engine, texts):
        one = server()
        made = engine(one, num_concurrent=2, max_batch_size=4)
        made.prepare()
        most, now, lock = 0, 0, threading.Lock()

        async def values(request, sent, *, raw, own=one._values):
            nonlocal most, now
            with lock:
                now += 1
                most = max(most, now)
            try:
                return await own(request, sent, raw=raw)
            finally:
                now -= 1

        one._values, one.delay = values, 0.01
        computed(made, texts)
        assert most == 2

    @pytest.mark.parametrize("most", [3, 8, 20])
    def test_have_no_more_texts_than_a_server_takes(self, most, server, engine, texts, wanted):
        one = server()
        one.info["max_client_batch_size"] = most
        assert computed(engine(one, protocol="tei"), texts) == wanted

    def test_of_a_server_that_takes_too_few_texts_are_none(self, server, engine):
        one = server()
        one.info["max_client_batch_size"] = 2
        with pytest.raises(ConfigurationError, match="at least 3"):
            engine(one, protocol="tei").prepare()

    def test_of_one_prompt_are_together(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.requests)
        computed(made, texts)
        of = {tuple(text): i // 4 for i, text in enumerate(texts)}
        for body in one.requests[checked:]:
            prompts = [of[tuple(ids)] for ids in body["input"] if tuple(ids) in of]
            assert len(set(prompts)) == 1


class TestStart:
    def refused(self, engine, *servers, error=ConfigurationError, **settings):
        with pytest.raises(error) as caught:
            engine(*servers, **settings).prepare()
        return str(caught.value)

    def test_says_what_is_served_instead(self, server, engine):
        text = self.refused(engine, server(model="other/model"))
        assert "'other/model'" in text
        assert "served_model=other/model" in text

    def test_takes_the_name_that_the_user_gives(self, server, engine):
        engine(server(model="other/model"), served_model="other/model").prepare()
        text = self.refused(engine, server(), served_model="x")
        assert "'demo'" in text

    def test_knows_a_folder_by_its_name_and_its_root(self, server, engine, tmp_path):
        folder = tmp_path / "tiny-model"
        folder.mkdir()
        engine(server(model="tiny-model"), pretrained=str(folder)).prepare()
        one = server(model="alias")
        one.models[0]["root"] = str(folder)
        made = engine(one, pretrained=str(folder))
        made.prepare()
        assert made.described()["served_model"] == "alias"

    def test_refuses_a_server_that_takes_shorter_texts(self, server, engine):
        text = self.refused(engine, server(max_model_len=128))
        assert "max_length=128" in text

    @pytest.mark.parametrize("protocol", ["vllm", "tei", "sglang"])
    def test_refuses_a_sigmoid(self, protocol, server, engine):
        one = server()
        one.raw = False
        if protocol == "sglang":
            one.score = lambda ids: 1 / (1 + math.exp(-value_of(ids)))
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
        one.change = lambda _, values: random.sample(values, len(values))
        assert "another order" in self.refused(engine, one)

    def test_refuses_another_tokenizer(self, server, engine):
        one = server()
        one.tokenizer = lambda text: [1, *(ord(c) % 300 for c in text)]
        assert "another tokenizer" in self.refused(engine, one)

    def test_refuses_a_smaller_vocabulary(self, server, engine, tokenizer):
        one = server()
        one.vocabulary = len(tokenizer) - 1
        assert f"token id {len(tokenizer) - 1}" in self.refused(engine, one)

    def test_the_vocabulary_is_asked_for_within_the_longest_text(self, server, engine, served):
        longest = 12
        one = server()
        one.change = lambda sent, values: (
            said(400, "too long") if any(len(ids) > longest for ids in sent) else values
        )
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
        one = server()
        one.info["model_dtype"] = "float16"
        assert "dtype=float16" in self.refused(engine, one, protocol="tei")

    @pytest.mark.parametrize("protocol", ["tei", "sglang"])
    def test_refuses_texts_whose_bos_would_be_doubled(self, protocol, server, engine, tokenizer):
        one = server()
        one.takes_ids = False
        one.tokenizer = lambda text: [1, *tokenizer(text)["input_ids"]]
        assert "a token before" in self.refused(engine, one, protocol=protocol)

    def test_sees_a_cut_by_the_count_of_tokens(self, server, engine):
        one = server()
        one._numbered, own = lambda n, v, t: own(n, v, [ids[:-1] for ids in t]), one._numbered
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


class TestKey:
    def test_is_sent_and_never_said(self, server, engine, texts, wanted, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("ULTRARM_EVAL_API_KEY", "secret-key-123")
        one = server()
        one.key = "secret-key-123"
        made = engine(one)
        assert computed(made, texts) == wanted
        reported = [made.described(), made.identity(), made.version]
        assert "secret" not in json.dumps(reported) + caplog.text

    def test_that_is_refused_is_not_quoted(self, server, engine, monkeypatch):
        monkeypatch.setenv("ULTRARM_EVAL_API_KEY", "secret-key-123")
        one = server()
        one.key = "another"
        with pytest.raises(
            ConfigurationError, match="401.*ULTRARM_EVAL_API_KEY was sent"
        ) as caught:
            engine(one).prepare()
        assert "secret" not in str(caught.value)

    def test_that_is_missing_is_named(self, server, engine, monkeypatch):
        monkeypatch.delenv("ULTRARM_EVAL_API_KEY", raising=False)
        one = server()
        one.key = "another"
        with pytest.raises(ConfigurationError, match="No key was sent: .*ULTRARM_EVAL_API_KEY"):
            engine(one).prepare()

    def test_with_a_line_break_is_refused(self, server, engine, monkeypatch):
        monkeypatch.setenv("MY_KEY", "abc\r\nX-Other: 1")
        with pytest.raises(ConfigurationError, match="MY_KEY") as caught:
            engine(server(), api_key_env="MY_KEY").prepare()
        assert "abc" not in str(caught.value)


def misbehave(one, times, answer):
    """Gives `answer(sent, values)` so many times."""
    left = [times]

    def change(sent, values):
        if left[0] <= 0:
            return values
        left[0] -= 1
        return answer(sent, values)

    one.change = change
    return left


class TestFaults:
    @pytest.mark.parametrize(
        "answer",
        [
            BUSY,
            lambda *_: said(429, "later", **{"Retry-After": "0.05"}),
            lambda *_: said(503, "busy"),
            lambda *_: said(500, "broken"),
            lambda *_: web.Response(text="<html>", content_type="text/html"),
            lambda _, values: values[:-1],
            lambda _, values: [],
            lambda *_: web.json_response({"data": [{"index": [0], "data": 1.0}] * 10}),
            lambda *_: web.Response(text="[" * 10**6, content_type="application/json"),
            lambda *_: web.Response(
                text=json.dumps({"data": [{"index": 0, "data": [10**400]}]}),
                content_type="application/json",
            ),
            lambda sent, values: web.json_response(
                {"data": [{"index": [i], "data": [value]} for i, value in enumerate(values)]}
            ),
            lambda *_: web.Response(text="[" * 200_000, content_type="application/json"),
        ],
    )
    def test_that_pass_cost_nothing_but_time(self, answer, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=8)
        made.prepare()
        left = misbehave(one, 3, answer)
        assert computed(made, texts) == wanted
        assert left == [0]

    def test_a_server_that_dies_is_replaced_and_comes_back(self, server, engine, texts, wanted):
        a, b = server(), server()
        made = engine(a, b, max_batch_size=4, num_concurrent=1)
        made.prepare()
        b.delay = 0.02
        b.change = lambda _, v: (a.close() if a._thread.is_alive() else None, v)[1]
        assert computed(made, texts) == wanted
        again = server(port=a.port)
        assert computed(made, texts) == wanted
        b.change = None
        assert computed(made, texts) == wanted
        assert len(again.requests) > 4

    def test_another_model_behind_the_address_gives_no_reward(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=2)

        def change(found):
            if len(found) >= 8:
                one.score = lambda ids: value_of(ids) + 0.5

        found, error = computed_until_error(made.compute(texts), ScoringError, change)
        assert "another model" in str(error)
        assert 8 <= len(found) < len(texts)
        assert found == {i: wanted[i] for i in found}

    def test_a_server_that_turns_a_sigmoid_on_is_left_out(
        self, server, engine, texts, wanted, caplog
    ):
        a, b = server(), server()
        made = engine(a, b, max_batch_size=4)
        made.prepare()
        a.raw = False
        assert computed(made, texts) == wanted
        assert f"Server {a.url} failed and will be retried" in caplog.text
        assert "it applies a sigmoid" in caplog.text
        for _ in range(100):
            if "no more requests" in caplog.text:
                break
            time.sleep(0.02)
        assert f"{a.url} gets no more requests" in caplog.text

    def test_a_shuffle_gives_no_reward(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=8)
        made.prepare()
        one.change = lambda _, values: random.sample(values, len(values))
        found, error = computed_until_error(made.compute(texts), ScoringError)
        assert "order" in str(error)
        assert found == {i: wanted[i] for i in found}

    def test_values_that_are_numbered_may_come_in_any_order(self, server, engine, texts, wanted):
        one = server()

        def numbered(name, values, _):
            data = [{"index": i, name: value} for i, value in enumerate(values)]
            return web.json_response({"data": random.sample(data, len(data))})

        one._numbered = numbered
        assert computed(engine(one), texts) == wanted

    def test_one_bad_text_is_named_after_all_others(self, server, engine, texts, wanted):
        one = server()
        made = engine(one)
        made.prepare()
        bad = list(texts[13])
        one.change = lambda sent, values: (
            said(400, "Out of range: \x1b[31m\nmore") if bad in sent else values
        )
        checked = len(one.requests)
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert error.text == 13
        assert "400: Out of range:" in str(error)
        assert "more" not in str(error)
        assert "\x1b" not in str(error)
        del wanted[13]
        assert found == wanted
        assert len(one.requests) - checked < 25

    def test_one_text_that_breaks_the_server_is_named(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_retries=1)
        made.prepare()
        bad = list(texts[13])
        one.change = lambda sent, values: said(500, "oops") if bad in sent else values
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert str(error).startswith("Text 13: it failed")
        assert "oops" in str(error)
        del wanted[13]
        assert found == wanted

    def test_a_refusal_of_everything_is_said_at_once(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.requests)
        one.change = lambda *_: said(400, "no such parameter")
        with pytest.raises(ScoringError, match="no such parameter"):
            computed(made, texts)
        assert len(one.requests) - checked < 40

    def test_a_refusal_of_all_but_the_probes_is_said_at_once(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        made.prepare()
        checked, bad = len(one.requests), [list(text) for text in texts]
        one.change = lambda sent, v: said(400, "never") if any(t in bad for t in sent) else v
        with pytest.raises(
            ScoringError, match="8 texts in a row were rejected, and none was computed at all"
        ):
            computed(made, texts)
        assert len(one.requests) - checked < 40

    def test_a_server_that_begins_to_refuse_texts_is_not_asked_for_all(
        self, server, engine, texts, wanted
    ):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        bad = [list(text) for text in texts]

        def begin(_):
            one.change = lambda sent, v: said(400, "never") if any(t in bad for t in sent) else v

        found, _ = computed_until_error(made.compute(texts), ScoringError, begin)
        assert found == {i: wanted[i] for i in found}
        assert len(one.requests) < 200

    def test_a_request_that_is_too_large_is_sent_in_parts(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, max_batch_size=32)
        made.prepare()
        one.change = lambda sent, v: said(413, "too large") if len(sent) > 10 else v
        assert computed(made, texts) == wanted

    def test_a_single_text_is_never_too_large_for_its_probes(self, server, engine, texts):
        # Two values say little: two probes go along with however many texts.
        def score(ids):
            return math.copysign(3.0, value_of(ids))

        one = server(score=score)
        made = engine(one, max_batch_size=2)
        made.prepare()
        one.change = lambda sent, v: said(413, "too large") if len(sent) > 3 else v
        assert computed(made, texts) == {i: score(list(text)) for i, text in enumerate(texts)}

    @pytest.mark.parametrize("status", [403, 404, 302])
    def test_a_text_that_something_between_keeps_back_is_named(
        self, status, server, engine, texts, wanted
    ):
        # As of a firewall: the probes pass, and this text never does.
        one = server()
        made = engine(one, max_batch_size=4)
        made.prepare()
        checked = len(one.requests)
        bad = list(texts[13])
        one.change = lambda sent, v: said(status, "blocked") if bad in sent else v
        found, error = computed_until_error(made.compute(texts), TextRefusedError)
        assert str(error).startswith(f"Text 13: {one.url} rejects it, and accepts others: ")
        assert f"returned status {status}: blocked" in str(error)
        del wanted[13]
        assert found == wanted
        # Each request once, three halves of one of them, and the probes alone after each refusal.
        assert len(one.requests) - checked <= 15 + 4 + 3

    def test_a_server_that_becomes_another_model_is_no_fault_of_texts(
        self, server, engine, texts, wanted
    ):
        one, other = server(), server()
        made = engine(one, other, max_batch_size=1, num_concurrent=1)
        made.prepare()
        answered = []

        def becomes_another(sent, values):
            answered.append(sent)
            return said(404, "no such model") if len(answered) > 3 else values

        one.change = becomes_another
        assert computed(made, texts) == wanted

    def test_no_server_left_is_an_error_after_what_was_computed(
        self, server, engine, texts, wanted
    ):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1, max_retries=2)

        def close(found):
            if len(found) >= 8 and one._thread.is_alive():
                one.close()

        found, error = computed_until_error(made.compute(texts), ScoringError, close)
        assert "no server is left" in str(error)
        assert one.url in str(error)
        assert found == {i: wanted[i] for i in found}
        assert len(found) >= 8

    def test_an_answer_that_takes_too_long_is_asked_for_again(self, server, engine, texts, wanted):
        one = server()
        made = engine(one, request_timeout=0.4)
        made.prepare()
        slow = iter([1.0])

        async def values(request, sent, *, raw, own=one._values):
            one.delay = next(slow, 0.0)
            return await own(request, sent, raw=raw)

        one._values = values
        assert computed(made, texts) == wanted

    def test_texts_that_no_server_reads_so_are_refused_alone(self, server, engine, served, texts):
        spelled = served.encode(["x"], ["y"])[0]
        # The letters of a control token, each a token of its own.
        letters = [served.tokenizer.convert_tokens_to_ids(one) for one in ("<", "/", "s", ">")]
        odd = type(spelled).of([*spelled, *letters])
        batches = engine(server(), protocol="tei").compute([*texts[:2], odd])
        found, error = computed_until_error(batches, TextRefusedError)
        assert str(error).startswith("Text 2: the servers accept only texts, not token ids")
        assert found == {i: pytest.approx(value_of(list(texts[i])), abs=1e-5) for i in (0, 1)}


class TestEnd:
    def test_a_run_that_is_left_early_stops_asking(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        for _ in made.compute(texts):
            break
        time.sleep(0.1)
        asked = len(one.requests)
        time.sleep(0.1)
        assert len(one.requests) == asked
        assert len(computed(made, texts)) == len(texts)

    def test_a_busy_consumer_bounds_what_is_asked_ahead(self, server, engine, texts):
        one = server()
        made = engine(one, max_batch_size=4, num_concurrent=1)
        made.prepare()
        checked = len(one.requests)
        batches = made.compute(texts)
        next(batches)
        time.sleep(0.3)
        assert len(one.requests) - checked <= 4
        batches.close()

    def test_an_engine_that_is_forgotten_closes_its_connections(self, server, served, texts):
        given = {"pretrained": "demo", "engine": "server", "base_url": server().url}
        made = ServerEngine(served, make_settings(CheckpointSettings, given, "ultrarm"))
        computed(made, texts[:4])
        assert "servers" in [t.name for t in threading.enumerate()]
        del made
        gc.collect()
        assert "servers" not in [t.name for t in threading.enumerate()]

    def test_an_engine_that_is_closed_connects_anew(self, server, engine, texts):
        made = engine(server())
        computed(made, texts[:4])
        made.close()
        assert "servers" not in [t.name for t in threading.enumerate()]
        assert len(computed(made, texts[:4])) == 4

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_process_connects_anew(self, server, engine, texts):
        made = engine(server())
        computed(made, texts[:4])
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            found = computed(made, texts)
            os.write(write, str(len(found)).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            assert pipe.read() == str(len(texts))
        os.waitpid(child, 0)
        assert len(computed(made, texts)) == len(texts)


def test_results_say_how_and_where(server, engine):
    one = server()
    made = engine(one)
    assert made.version is None
    assert made.identity() == {"engine": "server", "protocol": "vllm"}
    made.prepare()
    assert made.version == "0.32.0"
    assert made.described() == {
        "protocol": "vllm",
        "base_url": one.url,
        "num_concurrent": 8,
        "served_model": "demo",
        "max_model_len": 4096,
        "server_software": "vllm 0.32.0",
    }


def test_there_are_no_rewards_after_tokens(server, engine, texts):
    made = engine(server())
    assert isinstance(made, ServerEngine)
    with pytest.raises(ScoringError, match="engine=torch"):
        made.compute_after_tokens(texts[0])
