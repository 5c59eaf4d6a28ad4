"""A hub id without a network: what an earlier download left in the hub's cache."""

import json
import os
import subprocess
import sys

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCORE = (
    "import json; from ultrarm_eval import load_judge; j = load_judge('org/rm', {}); "
    "print(json.dumps([j.score(['q'], ['a']), j.settings()['revision'], "
    "j.settings()['weights_digest']]))"
)


@pytest.fixture
def cache(checkpoint, tmp_path):
    model = tmp_path / "hub" / "models--org--rm"
    snapshot = model / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    for file in checkpoint.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    return tmp_path


def run(cache, arguments):
    return subprocess.run(
        [sys.executable, "-c", SCORE.format(arguments)],
        env={**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["", "revision='main'", f"revision='{COMMIT}'"])
def test_a_cached_checkpoint_is_used_and_its_commit_recorded(cache, checkpoint, arguments):
    from ultrarm_eval import load_judge

    done = run(cache, arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    rewards, revision, digest = json.loads(done.stdout)
    assert rewards == pytest.approx(load_judge(str(checkpoint)).score(["q"], ["a"]), abs=5e-5)
    assert revision == digest == COMMIT


# In a process of its own: transformers of the oldest supported version takes the cache's place where
# it is imported.
def test_a_revision_that_is_not_cached_is_an_error(cache):
    done = run(cache, "revision='v2'")
    assert "org/rm at revision 'v2': this is not a local folder, is not cached" in done.stderr
