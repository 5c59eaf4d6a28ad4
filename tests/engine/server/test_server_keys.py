"""A key reaches the servers that are named, and is seen nowhere else."""

import json
import logging

import pytest

from tests.engine.server.misbehaviour import Answers, proxy_page, unavailable
from tests.engine.server.scored_by_servers import mostly_slow, score, served_judge

KEY = "sk-very-secret-0123456789"
VARIABLE = "ULTRARM_EVAL_API_KEY"


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        yield


def require_unseen(caplog, tmp_path, *texts):
    """The key stands in no log line, text or file."""
    assert KEY not in caplog.text
    for record in caplog.records:
        assert KEY not in str(record.__dict__)
    for text in texts:
        assert KEY not in text
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize("protocol", mostly_slow(["vllm", "sglang", "tei"], ["vllm"]))
def test_a_key_is_sent_and_seen_nowhere(
    serve, checkpoint, rewards, tmp_path, monkeypatch, caplog, protocol
):
    monkeypatch.setenv(VARIABLE, KEY)
    server = serve(protocol, key=KEY)
    judge = served_judge(
        checkpoint, [server], protocol=protocol, score_store=str(tmp_path / "store.db")
    )
    outcome = score(judge)
    assert outcome.error is None
    outcome.require_right(rewards)
    assert {seen.headers.get("Authorization") for seen in server.scored} == {f"Bearer {KEY}"}
    said = [json.dumps(judge.settings(), default=str), repr(judge.given), repr(vars(judge))]
    require_unseen(caplog, tmp_path, *said)


@pytest.mark.parametrize("protocol", mostly_slow(["vllm", "sglang", "tei"], ["vllm"]))
@pytest.mark.parametrize("key", [KEY, pytest.param(None, marks=pytest.mark.slow)])
def test_a_wrong_key_is_refused_by_name_and_not_tried_again(
    serve, checkpoint, tmp_path, monkeypatch, caplog, protocol, key
):
    monkeypatch.delenv(VARIABLE, raising=False)
    if key is not None:
        monkeypatch.setenv(VARIABLE, key)
    server = serve(protocol, key="another")
    outcome = score(served_judge(checkpoint, [server], protocol=protocol, loads=False))
    assert outcome.error is not None
    assert "401" in outcome.said or "key" in outcome.said
    assert VARIABLE in outcome.said
    assert server.url in outcome.said
    assert len(server.seen) <= 4
    require_unseen(caplog, tmp_path, outcome.said)


@pytest.mark.slow
def test_another_variable_can_hold_the_key(serve, checkpoint, rewards, monkeypatch):
    monkeypatch.setenv(VARIABLE, "wrong")
    monkeypatch.setenv("MY_KEY", KEY)
    server = serve("sglang", key=KEY)
    outcome = score(served_judge(checkpoint, [server], protocol="sglang", api_key_env="MY_KEY"))
    assert outcome.error is None
    outcome.require_right(rewards)


@pytest.mark.slow
def test_a_key_that_an_answer_repeats_is_not_shown(
    serve, checkpoint, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv(VARIABLE, KEY)
    server = serve()
    judge = served_judge(checkpoint, [server], max_retries=0)
    for fault in (
        Answers(400, json.dumps({"error": {"message": f"bad header Bearer {KEY}"}})),
        Answers(401, f"no such key: {KEY}", kind="text/plain"),
        Answers(200, json.dumps({"data": [{"index": 0, "data": KEY}]})),
        unavailable(),
        proxy_page(),
    ):
        server.misbehave(fault)
        outcome = score(judge)
        assert outcome.error is not None
        require_unseen(caplog, tmp_path, outcome.said, repr(outcome.error))


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_key_is_not_sent_where_a_server_points_to(serve, checkpoint, monkeypatch, status):
    monkeypatch.setenv(VARIABLE, KEY)
    server, other = serve(), serve()
    judge = served_judge(checkpoint, [server], max_retries=0)
    server.misbehave(Answers(status, headers={"Location": f"{other.url}/pooling"}))
    score(judge)
    assert all("Authorization" not in seen.headers for seen in other.seen)
