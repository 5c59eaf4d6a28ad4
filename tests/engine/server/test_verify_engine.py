"""`ultrarm-eval verify --engine server`: what a server's rewards look like beside torch's."""

import re

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.engine.server.misbehaviour import Gives, OtherModel, SigmoidOverAll
from tests.engine.server.served_checkpoint import ServedCheckpoint
from ultrarm_eval.cli import main
from ultrarm_eval.judges.loading import load_judge

PROMPT = "the question about one word and the answer to it "


@pytest.fixture
def data(tmp_path):
    rows = [
        raw_row(f"{i} {PROMPT}", tuple((f"answer {i} {j}" + " word" * j, j) for j in range(1, 5)))
        for i in range(4)
    ]
    return str(write_jsonl(tmp_path / "d.jsonl", rows))


@pytest.fixture
def verify(data, checkpoint, capsys):
    def run(server, *more):
        command = ["verify", "--data", data, "--pretrained", str(checkpoint), "--engine", "server"]
        status = main([*command, "--base-url", server.url, *more])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


@pytest.mark.parametrize("protocol", ["vllm", pytest.param("sglang", marks=pytest.mark.slow)])
def test_a_server_that_is_right_passes(serve, verify, protocol):
    status, said = verify(serve(protocol), "--protocol", protocol)
    assert status == 0
    # The data's, those that spell three special tokens in two places, and the longest.
    assert "42 texts, 24 pairs, float32, engine=server" in said
    assert "including 24 texts with special-token text" in said
    assert "including 2 texts truncated to 256 tokens" in said
    drift = float(
        re.search(r"one text at a time with torch: largest difference ([\d.e-]+), 0 pairs", said)[1]
    )
    assert drift <= 1e-4
    assert "within the threshold of 0.0001" in said
    assert "The likely cause is" not in said


@pytest.mark.slow
def test_a_server_of_texts_that_cannot_be_sent_what_spells_a_token_says_so(serve, verify):
    status, said = verify(serve("tei"), "--protocol", "tei")
    assert status == 0
    assert "texts with special-token text are refused: Its reward is missing" in said
    # What is cut on the left begins within a word, which no text does.
    assert "texts truncated to 256 tokens are refused: Its reward is missing" in said
    assert "16 texts, 24 pairs" in said


@pytest.mark.slow
def test_a_sigmoid_that_no_request_switches_off_is_named(serve, verify):
    server = serve()
    server.misbehave(SigmoidOverAll())
    status, said = verify(server)
    assert status == 1
    assert "The likely cause is a sigmoid applied to the rewards: " in said
    assert said.count("The likely cause is") == 1
    assert "OVER the threshold of 0.0001" in said


@pytest.mark.slow
def test_another_checkpoint_under_the_same_name_is_seen(serve, verify, other_served):
    server = serve()
    server.misbehave(OtherModel(other_served))
    status, said = verify(server)
    assert status == 1
    assert "No known mistake explains it" in said
    assert "Check that both use the same checkpoint" in said


@pytest.mark.slow
def test_another_dtype_is_named(serve, verify, checkpoint, served):
    rounded = ServedCheckpoint(
        load_judge(str(checkpoint), judge="ultrarm", dtype="bfloat16"), name=served.name
    )
    status, said = verify(serve(model=rounded))
    assert status == 1
    assert "The likely cause is another dtype, bfloat16: " in said


@pytest.mark.slow
def test_a_run_in_half_precision_is_compared_with_float32_as_well(
    serve, verify, checkpoint, served
):
    rounded = ServedCheckpoint(
        load_judge(str(checkpoint), judge="ultrarm", dtype="bfloat16"), name=served.name
    )
    status, said = verify(serve(model=rounded), "--dtype", "bfloat16")
    assert status == 0
    assert "server vs. float32 with torch: largest difference" in said
    assert "bfloat16 with torch vs. float32: largest difference" in said
    assert "within the threshold of 0.1" in said


@pytest.mark.slow
def test_a_text_of_the_data_that_a_server_refuses_ends_in_its_error(serve, verify, served):
    server = serve()
    bad = tuple(served.judge.encoded(f"2 {PROMPT}", "answer 2 3" + " word" * 3))
    server.misbehave(Gives(float("nan"), lambda ids: ids == bad))
    status, said = verify(server)
    assert status == 2
    assert "is nan; it starts" in said
    assert "answer 2 3 word" in said
    assert "threshold" not in said


@pytest.mark.slow
def test_the_threshold_can_be_set(serve, verify):
    server = serve()
    server.misbehave(SigmoidOverAll())
    status, said = verify(server, "--threshold", "1000", "--n", "1")
    assert status == 0
    assert "within the threshold of 1000" in said


@pytest.mark.slow
def test_a_server_that_is_not_there_is_an_error_and_no_drift(verify, serve):
    server = serve()
    server.kill()
    status, said = verify(server)
    assert status == 2
    assert server.url in said
    assert "drift" not in said


def test_rewards_of_a_store_verify_nothing(serve, verify, tmp_path):
    server = serve()
    status, said = verify(server, "--judge-args", f"score_store={tmp_path / 'store.sqlite'}")
    assert status == 2
    assert "verify nothing" in said
    assert not server.seen
