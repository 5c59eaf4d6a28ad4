"""The stock `lm_eval` with servers: the figures of torch, and nobody's key in the results."""

import json
import os
import subprocess
import sys

import pytest

from ultrarm_eval.demo import DEMO_NAME

pytestmark = pytest.mark.slow
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def evaluate(tmp_path):
    def run(name, model_args):
        folder = tmp_path / name
        command = [
            *(sys.executable, "-m", "lm_eval", "--model", "ultrarm", "--model_args", model_args),
            *("--tasks", "ultrafeedback_pairs_demo", "--limit", "20"),
            *("--output_path", str(folder), "--log_samples"),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ULTRARM_EVAL_API_KEY": KEY}
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=500
        )
        assert finished.returncode == 0, finished.stderr[-3000:]
        (written,) = folder.rglob("results_*.json")
        texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.json*")]
        return json.loads(written.read_text()), [*texts, finished.stdout, finished.stderr]

    return run


def test_lm_eval_finds_the_same_on_servers_as_by_torch(serve, evaluate):
    from tests.engine.server.served_checkpoint import ServedCheckpoint
    from ultrarm_eval.judges.loading import load_judge

    demo = ServedCheckpoint(load_judge(DEMO_NAME, judge="ultrarm"), name=DEMO_NAME)
    servers = [serve(model=demo, key=KEY), serve(model=demo, key=KEY)]
    urls = ";".join(server.url for server in servers)
    expected, _ = evaluate("torch", f"pretrained={DEMO_NAME},engine=torch")
    found, texts = evaluate("server", f"pretrained={DEMO_NAME},engine=server,base_url={urls}")
    task = "ultrafeedback_pairs_demo"
    assert found["results"][task]["acc,none"] == expected["results"][task]["acc,none"]
    for name, value in expected["results"][task].items():
        close = pytest.approx(value, abs=1e-4) if isinstance(value, float) else value
        assert found["results"][task][name] == close, name
    config = found["config"]
    assert config["engine"] == "server"
    assert config["engine_version"] == "0.32.0"
    assert config["base_url"] == urls
    assert expected["config"]["engine"] == "torch"
    assert config["fingerprint"] != expected["config"]["fingerprint"]
    for text in texts:
        assert KEY not in text
    for server in servers:
        assert server.computed
        models = [one for one in server.seen if one.path == "/v1/models"]
        assert {one.headers["Authorization"] for one in models} == {f"Bearer {KEY}"}
