"""A run of several processes that is killed goes on where it was, in any number of processes."""

import os
import shutil
import signal
import time

import pytest

from tests.conftest import write_jsonl
from tests.lm_eval_plugin.launching import Run, assert_close, documents, evaluate

# 20 texts, of which one process has 11 and the other 9.
DOCUMENTS, TEXTS = 7, 20
# Each process has stored this many texts, one a batch, and is in the middle of the next.
STORED_BY_EACH = 3


def evaluation(data, checkpoint, **settings):
    # So that rewards are the same to the last bit whichever of the other texts are stored.
    alone = {"max_batch_tokens": 1}
    return {"data": str(data), "settings": {"pretrained": str(checkpoint), **alone, **settings}}


@pytest.fixture(scope="module")
def killed(checkpoint, tmp_path_factory):
    """The folder of a run that was killed while its processes computed, with data and store."""
    folder = tmp_path_factory.mktemp("killed")
    data = write_jsonl(folder / "d.jsonl", documents(DOCUMENTS))
    store = folder / "store" / "scores.sqlite"
    store.parent.mkdir()
    settings = evaluation(data, checkpoint, score_store=str(store))
    run = Run(folder / "run", {"all": settings}, processes=2, block_after=STORED_BY_EACH)
    started = time.monotonic()
    while len(run.reports("blocked")) < 2 and time.monotonic() - started < 120:
        assert run.launcher.poll() is None, run.errors()
        time.sleep(0.1)
    pids = run.reports("blocked")
    for pid in (run.launcher.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    run.launcher.wait()
    assert len(pids) == 2
    assert run.reports("all") == []
    return folder


@pytest.fixture(scope="module")
def uninterrupted(killed, checkpoint):
    """What a run without store finds."""
    run = evaluate(
        killed / "plain", {"all": evaluation(killed / "d.jsonl", checkpoint)}, processes=1
    )
    (found,) = run.reports("all")
    assert sum(found["scored"]) == TEXTS
    return found


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_only_what_was_in_flight_or_not_begun_is_computed_again(
    killed, uninterrupted, checkpoint, tmp_path, processes
):
    store = shutil.copytree(killed / "store", tmp_path / "store") / "scores.sqlite"
    settings = evaluation(killed / "d.jsonl", checkpoint, score_store=str(store))
    reports = evaluate(tmp_path / "run", {"all": settings}, processes=processes).reports("all")
    assert len(reports) == processes
    assert sum(sum(report["scored"]) for report in reports) == TEXTS - 2 * STORED_BY_EACH
    assert_close(reports[0]["metrics"], uninterrupted["metrics"], 1e-12)
    assert reports[0]["samples"] == uninterrupted["samples"]
    if processes == 1:
        assert reports[0]["counts"]["from_store"] == 2 * STORED_BY_EACH
    again = evaluate(tmp_path / "again", {"all": settings}, processes=1).reports("all")
    assert again[0]["scored"] == []
    assert again[0]["counts"]["from_store"] == TEXTS
    assert again[0]["samples"] == uninterrupted["samples"]
