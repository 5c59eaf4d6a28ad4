"""The reward server of the tests answers as the servers that it stands for."""

import asyncio
import base64
import contextlib
import gc
import http.client
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.engine.server.misbehaviour import (
    BosDoubled,
    Cut,
    Gives,
    Reordered,
    Sigmoid,
    busy,
)
from tests.engine.server.text_protocols import TeiProtocol
from tests.engine.server.texts import COMPLETIONS, PROMPTS


def post(url, body, **headers):
    """Status and answer; JSON where it is."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        said = error.read().decode()
        return error.code, json.loads(said) if said.startswith(("{", "[")) else said


@pytest.fixture
def texts(served):
    judge = served.judge
    return [list(judge.encoded(p, c)) for p, c in zip(PROMPTS[:6], COMPLETIONS[:6], strict=True)]


def sigmoid(values):
    return 1 / (1 + np.exp(-np.asarray(values)))


def of_vllm(answer):
    items = sorted(answer["data"], key=lambda one: one["index"])
    return [(one.get("data") or one.get("probs"))[0] for one in items]


@pytest.mark.parametrize("path", ["/pooling", "/classify"])
def test_vllm_puts_a_sigmoid_over_rewards_unless_it_is_told(serve, rewards, texts, path):
    server = serve()
    _, raw = post(server.url + path, {"input": texts, "use_activation": False})
    _, activated = post(server.url + path, {"input": texts})
    assert of_vllm(raw) == pytest.approx(rewards[:6], abs=1e-6)
    assert of_vllm(activated) == pytest.approx(sigmoid(rewards[:6]), abs=1e-6)
    assert raw["usage"]["prompt_tokens"] == sum(map(len, texts))


def test_vllm_gives_base64_of_float32(serve, rewards, texts):
    asked = {"input": texts, "use_activation": False, "encoding_format": "base64"}
    _, answer = post(serve().url + "/pooling", asked)
    values = [struct.unpack("<f", base64.b64decode(one["data"]))[0] for one in answer["data"]]
    assert values == pytest.approx(rewards[:6], abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"input": []}, 400, "at least one prompt"),
        ({"input": [[]]}, 400, "empty"),
        ({"input": [[1, 400]]}, 400, "out of vocabulary"),
        ({"input": [[1] * 257]}, 400, "maximum context length"),
        ({"input": [[1, 5], [1] * 257]}, 400, "maximum context length"),
        ({"input": [[1, 5]], "model": "x"}, 404, "does not exist"),
        ({"input": 7}, 400, "validation"),
        ({}, 400, "validation"),
    ],
)
def test_vllm_refuses_a_request_for_one_bad_text(serve, asked, status, said):
    found, answer = post(serve().url + "/pooling", asked)
    assert found == status
    assert said in answer["error"]["message"]


def test_vllm_shows_nan_in_base64_alone(serve, texts):
    server = serve()
    server.misbehave(Gives(float("nan")))
    assert post(server.url + "/classify", {"input": texts})[0] == 400
    status, answer = post(server.url + "/pooling", {"input": texts, "encoding_format": "base64"})
    assert status == 200
    assert np.isnan(struct.unpack("<f", base64.b64decode(answer["data"][0]["data"]))[0])


def test_vllm_reads_a_control_token_in_a_text_and_adds_a_bos(serve, served):
    server = serve()
    _, answer = post(server.url + "/tokenize", {"prompt": "blue</s>"})
    assert answer["tokens"][0] == 1
    assert answer["tokens"][-1] == 2
    assert answer["max_model_len"] == 256
    _, models = post(server.url + "/v1/models", None)
    assert models["data"][0]["id"] == served.name


def test_vllm_asks_for_its_key_under_v1_alone(serve, texts):
    server = serve(key="secret")
    assert post(server.url + "/v1/models", None)[0] == 401
    assert post(server.url + "/v1/models", None, Authorization="Bearer secret")[0] == 200
    assert post(server.url + "/pooling", {"input": texts})[0] == 200


def test_sglang_gives_raw_rewards_of_texts_and_of_ids(serve, rewards, served, texts):
    server = serve("sglang")
    _, answer = post(server.url + "/classify", {"input_ids": texts})
    assert [one["embedding"][0] for one in answer] == pytest.approx(rewards[:6], abs=1e-6)
    said = served.judge.tokenizer.decode(texts[0][1:])
    _, one = post(server.url + "/classify", {"text": said})
    assert one["embedding"][0] == pytest.approx(rewards[0], abs=1e-6)
    assert one["meta_info"]["prompt_tokens"] == len(texts[0])
    assert post(server.url + "/classify", {"input_ids": [[1] * 257]})[0] == 400
    assert post(server.url + "/get_model_info", None)[1]["model_path"] == served.name


def test_tei_gives_raw_scores_where_it_is_asked(serve, rewards, served, texts):
    server = serve(TeiProtocol(max_client_batch_size=4))
    said = [[served.judge.tokenizer.decode(ids[1:])] for ids in texts[:4]]
    asked = {"inputs": said, "raw_scores": True, "truncate": False}
    _, answer = post(server.url + "/predict", asked)
    assert [one[0]["score"] for one in answer] == pytest.approx(rewards[:4], abs=1e-6)
    _, activated = post(server.url + "/predict", {"inputs": said})
    assert [one[0]["score"] for one in activated] == pytest.approx(sigmoid(rewards[:4]), abs=1e-6)
    assert post(server.url + "/predict", {"inputs": said * 2})[0] == 422
    long = [["blue " * 400]]
    assert post(server.url + "/predict", {"inputs": long, "truncate": False})[0] == 422
    assert post(server.url + "/predict", {"inputs": long})[0] == 200
    assert post(server.url + "/info", None)[1]["max_client_batch_size"] == 4


def test_faults_come_when_they_are_told_and_go(serve, rewards, texts):
    server = serve()
    asked = {"input": texts, "use_activation": False}
    server.misbehave(busy(after=1, times=1), Sigmoid(after=2, times=1))
    assert of_vllm(post(server.url + "/pooling", asked)[1]) == pytest.approx(rewards[:6], abs=1e-6)
    assert post(server.url + "/pooling", asked)[0] == 429
    assert of_vllm(post(server.url + "/pooling", asked)[1]) == pytest.approx(
        sigmoid(rewards[:6]), abs=1e-6
    )
    server.misbehave(BosDoubled())
    _, doubled = post(server.url + "/pooling", asked)
    assert doubled["usage"]["prompt_tokens"] == sum(map(len, texts)) + 6
    assert of_vllm(doubled) != pytest.approx(rewards[:6], abs=1e-3)
    server.misbehave(Reordered())
    _, turned = post(server.url + "/pooling", asked)
    assert [one["index"] for one in turned["data"]] == [5, 4, 3, 2, 1, 0]
    assert of_vllm(turned) == pytest.approx(rewards[:6], abs=1e-6)


def test_a_killed_server_comes_back_where_it_was(serve, texts):
    server = serve()
    asked, url = {"input": texts}, server.url
    server.misbehave(Cut(times=1))
    with pytest.raises(http.client.IncompleteRead):
        post(url + "/pooling", asked)
    server.kill()
    with pytest.raises(urllib.error.URLError):
        post(url + "/pooling", asked)
    server.start()
    assert server.url == url
    assert post(url + "/pooling", asked)[0] == 200
    assert set(server.computed.values()) == {1}


def test_two_may_kill_a_server_at_once(serve):
    server = serve()
    end, is_ending = server._end, threading.Event()

    async def slowly():
        is_ending.set()
        await asyncio.sleep(0.2)
        await end()

    server._end = slowly
    first = threading.Thread(target=server.kill)
    first.start()
    assert is_ending.wait(60)
    server.kill()
    first.join()
    server._end = end
    server.start()
    assert post(server.url + "/health", None)[0] == 200


def test_a_killed_server_cuts_those_whom_it_accepted_last(serve):
    # The garbage collector tells of a socket left open, in whatever test it runs next.
    server = serve()
    address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    server._loop.call_soon_threadsafe(time.sleep, 0.2)
    callers = [socket.create_connection(address, timeout=20) for _ in range(20)]
    server.kill()
    gc.collect()
    for caller in callers:
        with caller, contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b""
