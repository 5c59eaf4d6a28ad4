"""A served model without weights, whose values are a function of its ids, and servers of it."""

from types import SimpleNamespace

import pytest

from tests.engine.server.reward_server import RewardServer
from tests.engine.server.served_function import ServedFunction
from tests.engine.server.without_weights.computed import value_of
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.server import pool
from ultrarm_eval.engine.server.server_engine import ServerEngine
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.settings import CheckpointSettings, make_settings
from ultrarm_eval.text_format.tokens import Tokens


@pytest.fixture(scope="session")
def judge():
    return UltraRMJudge("demo")


@pytest.fixture(scope="session")
def tokenizer(judge):
    return load_tokenizer(judge.checkpoint).tokenizer


@pytest.fixture(scope="session")
def served(judge, tokenizer):
    def encode(prompts, completions):
        texts = zip(prompts, completions, strict=True)
        return [Tokens.of(tokenizer(f"Human: {p}\nAssistant: {c}")["input_ids"]) for p, c in texts]

    checkpoint = SimpleNamespace(config=SimpleNamespace(vocab_size=len(tokenizer)))
    return ServedModel("ultrarm", checkpoint, "float32", 256, tokenizer, lambda text: text, encode)


@pytest.fixture(scope="session")
def texts(served):
    """Texts of a few prompts each, no two the same."""
    prompts = [f"Say {i // 4} to question {i // 4}." for i in range(60)]
    return served.encode(prompts, [f"It is {i} or {i * 7 % 13}." for i in range(60)])


@pytest.fixture
def wanted(texts):
    return {i: pytest.approx(value_of(list(text)), abs=1e-5) for i, text in enumerate(texts)}


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.02)


@pytest.fixture
def server(tokenizer):
    """Starts servers of a function of the ids, which are ended with the test."""
    servers = []

    def make(protocol="vllm", *, key=None, missing_paths=(), **model):
        served = ServedFunction(**{"score": value_of, "tokenizer": tokenizer, **model})
        one = RewardServer(served, protocol, key=key, missing_paths=missing_paths)
        one.start()
        servers.append(one)
        return one

    yield make
    for one in servers:
        one.__exit__()


@pytest.fixture
def engine(served):
    """Makes engines of servers, which are closed in the end."""
    engines = []

    def make(*servers, model=served, **settings):
        urls = ";".join(one if isinstance(one, str) else one.url for one in servers)
        given = {"pretrained": "demo", "engine": "server", "base_url": urls, "max_retries": 3}
        settings = {**given, **settings}
        one = ServerEngine(model, make_settings(CheckpointSettings, settings, "ultrarm"))
        engines.append(one)
        return one

    yield make
    for one in engines:
        one.close()
