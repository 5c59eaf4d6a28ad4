"""Rewards by vLLM itself against one text at a time by torch: in this process, and over HTTP.

Run with `-m vllm` in an environment that has vLLM (see .ci/run); a CPU will do.
"""

import dataclasses
import gc
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from tests.engine.vllm_checkpoints import break_token, texts, write_classifier, write_ultrarm
from ultrarm_eval import load_judge
from ultrarm_eval.errors import RewardError, ScoringError, TextRefusedError
from ultrarm_eval.text_format.tokens import Tokens

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed (see .ci/run)"
    ),
    # vLLM and what it imports warn about each other.
    pytest.mark.filterwarnings("default"),
]
TOLERANCE = 1e-4
#: The character whose token has no numbers in a broken checkpoint.
BROKEN = "@"
# Compiling takes minutes on a CPU, and is not what is tried here.
HOW = {"dtype": "float32", "max_length": 1024}


@pytest.fixture(scope="module", autouse=True)
def _small_vllm():
    """A small cache, and no report of the use to anyone."""
    given = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def ultrarm(tmp_path_factory, sentencepiece_model):
    return write_ultrarm(tmp_path_factory.mktemp("ultrarm") / "model", sentencepiece_model)


@pytest.fixture(scope="module")
def tokenizer(ultrarm):
    return load_judge(str(ultrarm), device="cpu").tokenizer


@pytest.fixture(scope="module")
def asked():
    return texts()


@pytest.fixture(scope="module")
def expected(ultrarm, asked):
    """The rewards of the loop over the unconverted checkpoint."""
    rewards = load_judge(str(ultrarm), device="cpu", **HOW).score_one_at_a_time(*asked)
    assert_tells_apart(rewards)
    return rewards


@pytest.fixture(scope="module")
def judge(ultrarm, _small_vllm):
    """The unconverted checkpoint in vLLM's own processes, few texts at once."""
    judge = load_judge(str(ultrarm), engine="vllm", enforce_eager=True, max_num_seqs=4, **HOW)
    yield judge
    judge.network.engine.close()


@pytest.fixture
def in_this_process(monkeypatch):
    """Has vLLM compute without processes of its own, so that it starts sooner; one at a time."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    made = []

    def load(folder, **given):
        made.append(load_judge(str(folder), engine="vllm", enforce_eager=True, **HOW, **given))
        return made[-1]

    yield load
    for one in made:
        one.network.engine.close()
    cleanup_dist_env_and_memory()


def assert_tells_apart(rewards):
    """Differences of the tolerance are small beside those of texts, and no sigmoid's."""
    assert max(rewards) - min(rewards) > 1
    assert min(rewards) < 0
    assert len(set(rewards)) > 90


def largest(found, expected):
    return max(abs(a - b) for a, b in zip(found, expected, strict=True))


def of_vllm():
    """The processes of vLLM that run; one that has ended stays in the list until it is waited for."""
    children = psutil.Process().children(recursive=True)
    running = [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in running if "VLLM" in one.name()]


def test_an_unconverted_checkpoint_in_this_process(judge, asked, expected):
    found = judge.score(*asked)

    assert largest(found, expected) <= TOLERANCE
    settings = judge.settings()
    assert (settings["engine"], settings["engine_version"]) == ("vllm", vllm_version())
    assert (settings["device"], settings["max_num_seqs"]) == ("cpu", 4)
    assert judge.identifies()["engine"] == "vllm"
    # Long prompts are in the prefix cache for their later answers.
    texts_of = [judge.encoded(*pair) for pair in zip(*asked, strict=True)]
    assert settings["counts"]["computed_tokens"] < sum(map(len, texts_of))
    assert settings["counts"]["truncated"] > 0


def vllm_version():
    import vllm

    return vllm.__version__.split("+")[0]


def test_rewards_stream_out_and_what_nobody_waits_for_is_dropped(judge, asked, expected):
    tokens = [judge.encoded(*pair) for pair in zip(*asked, strict=True)]
    engine = judge.network.engine
    stream = engine.compute(tokens)
    first = next(stream)
    assert 1 <= len(first.texts) <= 4
    # Another call meanwhile takes nothing from the first, nor gives it what is its own.
    (other,) = engine.compute(tokens[:1])
    assert other.values[0] == pytest.approx(expected[0], abs=TOLERANCE)
    second = next(stream)
    stream.close()

    for batch in (first, second):
        for index, value in zip(batch.texts, batch.values, strict=True):
            assert value == pytest.approx(expected[index], abs=TOLERANCE)
    rest = {}
    for batch in engine.compute(tokens):
        rest.update(zip(batch.texts, batch.values, strict=True))
    assert largest([rest[i] for i in range(len(tokens))], expected) <= TOLERANCE


def test_texts_that_are_read_alike_are_computed_once(judge, monkeypatch):
    text = list(judge.encoded("the question", "the answer"))
    engine = judge.network.engine
    first = dataclasses.replace(engine._model, as_read=lambda one: Tokens.of(list(one)[:5]))
    monkeypatch.setattr(engine, "_model", first)

    (batch,) = engine.compute([Tokens.of(text), Tokens.of(text[:5]), Tokens.of(text[:6])])
    assert sorted(batch.texts) == [0, 1, 2]
    assert len(set(batch.values)) == 1
    assert batch.tokens <= 5


def test_a_refused_text_is_named_after_all_others_were_handed_out(judge, asked, expected):
    tokens = [judge.encoded(*pair) for pair in list(zip(*asked, strict=True))[:4]]
    too_large = Tokens.of([1, 5, 400_000])
    handed_out = {}
    batches = judge.network.engine.compute([tokens[0], too_large, *tokens[1:]])

    def take_all():
        for batch in batches:
            handed_out.update(zip(batch.texts, batch.values, strict=True))

    with pytest.raises(TextRefusedError, match="vLLM rejects its 3 tokens") as refused:
        take_all()
    assert refused.value.text == 1
    assert largest([handed_out[i] for i in (0, 2, 3, 4)], expected[:4]) <= TOLERANCE


def test_a_dead_engine_is_an_error_and_its_processes_end(judge, asked):
    engine = judge.network.engine
    tokens = [judge.encoded(*pair) for pair in zip(*asked, strict=True)]
    stream = engine.compute(tokens)
    next(stream)
    (core,) = [one for one in of_vllm() if "EngineCore" in one.name()]
    core.kill()
    with pytest.raises(ScoringError, match="vLLM stopped computing"):
        list(stream)
    engine.close()
    _, alive = psutil.wait_procs(of_vllm(), timeout=60)
    assert not alive


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_classifiers_as_they_are(family, tmp_path, tokenizer, asked, in_this_process):
    folder = write_classifier(tmp_path / family, family, tokenizer)
    here = load_judge(str(folder), judge="sequence-classification", device="cpu", **HOW)
    expected = here.score_one_at_a_time(*asked)
    assert_tells_apart(expected)
    judge = in_this_process(folder, judge="sequence-classification")

    assert largest(judge.score(*asked), expected) <= TOLERANCE


def test_no_number_is_refused_with_its_text(tmp_path, tokenizer, in_this_process):
    folder = write_classifier(tmp_path / "broken", "llama", tokenizer)
    (token,) = tokenizer(BROKEN, add_special_tokens=False).input_ids[-1:]
    break_token(folder, token)
    judge = in_this_process(folder, judge="sequence-classification")

    assert len(judge.score(["the question"], ["the answer"])) == 1
    with pytest.raises(RewardError, match="completion 1 is nan"):
        judge.score(["the question"] * 2, ["the answer", f"the answer {BROKEN}"])


def test_a_converted_checkpoint(tmp_path, ultrarm, asked, expected, in_this_process):
    from ultrarm_eval.judges.conversion import convert

    convert(str(ultrarm), tmp_path / "converted", max_shard_bytes=2**30)
    judge = in_this_process(tmp_path / "converted", judge="auto")

    assert largest(judge.score(*asked), expected) <= TOLERANCE


def test_the_same_accuracy_through_the_stock_command(ultrarm, tmp_path):
    found = {}
    for engine, how in (("torch", "device=cpu"), ("vllm", "enforce_eager=True")):
        out = tmp_path / engine
        command = [
            *(sys.executable, "-m", "lm_eval", "--model", "ultrarm", "--limit", "60"),
            *("--model_args", f"pretrained={ultrarm},engine={engine},dtype=float32,{how}"),
            *("--tasks", "ultrafeedback_pairs_demo", "--output_path", str(out)),
        ]
        # Outside the checkout, with the package as it is installed.
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-4000:]
        (written,) = out.rglob("results_*.json")
        results = json.loads(written.read_text())
        found[engine] = results["results"]["ultrafeedback_pairs_demo"]
        assert results["config"]["engine"] == engine
        assert "|acc" in done.stdout.replace(" ", "")
        assert "WARNING" not in done.stdout
    assert found["vllm"]["acc,none"] == found["torch"]["acc,none"]
    assert found["vllm"]["margin,none"] == pytest.approx(found["torch"]["margin,none"], abs=1e-4)


@pytest.fixture
def address(ultrarm, tmp_path):
    """Where vLLM's server serves the unconverted checkpoint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "server.log").open("w+")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(ultrarm)),
            *("--dtype", "float32", "--max-model-len", "1024", "--enforce-eager"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=tmp_path,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{address}/health"):
            assert server.poll() is None, (tmp_path / "server.log").read_text()[-4000:]
            time.sleep(1)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        log.close()


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_an_unconverted_checkpoint_over_http(address, ultrarm, asked, expected):
    judge = load_judge(str(ultrarm), engine="server", base_url=address, **HOW)

    assert largest(judge.score(*asked), expected) <= TOLERANCE


def test_a_judge_that_is_dropped_ends_its_processes(ultrarm):
    # Those of a judge that other tests share may run as well.
    before = set(of_vllm())
    judge = load_judge(str(ultrarm), engine="vllm", enforce_eager=True, **HOW)
    assert set(of_vllm()) - before
    del judge
    gc.collect()
    assert not set(of_vllm()) - before
