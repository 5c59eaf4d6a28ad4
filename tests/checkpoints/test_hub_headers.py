"""A hub id whose weights are not here: what is asked of the hub, and how much of a file."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

pytestmark = pytest.mark.slow

# The hub's client asks for so many bytes of a file, and a refusal looks a second time.
A_FEW_HEADERS = 3 * 100_001
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Serves one folder as the repository org/rm, with ranges, and notes what is sent."""

    folder = None
    sent: ClassVar[dict[str, int]] = {}

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        match = re.fullmatch(r"/org/rm/resolve/[^/]+/(.+)", self.path.split("?")[0])
        path = match and self.folder / match[1]
        if path is None or not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = path.read_bytes()
        whole = len(content)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2]), whole - 1)
            content = content[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{match[1]}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.sent[match[1]] = self.sent.get(match[1], 0) + len(content)
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path):
    Hub.folder, Hub.sent = tmp_path / "repository", {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def inspect(hub, tmp_path, *arguments):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "ultrarm_eval",
            "inspect-checkpoint",
            "org/rm",
            "--format",
            "json",
            *arguments,
        ],
        env={
            **os.environ,
            "HF_HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": hub,
            "HF_HUB_OFFLINE": "0",
        },
        capture_output=True,
        text=True,
    )


def large_classifier(folder, write_model):
    """A sequence classification model whose one file is larger than a header's range."""
    made = write_model(
        "AutoModelForSequenceClassification", "llama", num_labels=1, hidden_size=64, vocab_size=8000
    )
    made.rename(folder)
    return folder


def test_weights_on_the_hub_are_inspected_by_their_headers_alone(hub, tmp_path, write_model):
    folder = large_classifier(tmp_path / "repository", write_model)
    size = (folder / "model.safetensors").stat().st_size
    assert size > 2_000_000
    done = inspect(hub, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["judge"] == "sequence-classification"
    assert found["head"] == {"score.weight": [1, 64]}
    assert found["weight_bytes"]["float32"] == 4 * found["parameters"]
    assert Hub.sent["model.safetensors"] <= A_FEW_HEADERS < size


def test_a_head_that_is_missing_is_refused_before_weights_are_fetched(hub, tmp_path, write_model):
    folder = large_classifier(tmp_path / "repository", write_model)
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    done = inspect(hub, tmp_path)
    assert done.returncode == 1, done.stderr[-2000:]
    assert "lack 'score.weight'" in json.loads(done.stdout)["refused"]
    assert Hub.sent["model.safetensors"] <= A_FEW_HEADERS
