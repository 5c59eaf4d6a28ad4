"""Several processes over gloo give what one process gives."""

import re

import pytest

from tests.conftest import write_jsonl
from tests.lm_eval_plugin.launching import Run, assert_close, documents, evaluate

# Documents, processes: no process has as many requests as another.
SHARES = [(7, 2), (5, 3)]
ALONE = {"max_batch_tokens": 1}
LAYOUTS = {
    "default": {},
    "one text, padded": {"batching": "padded", **ALONE},
}


def test_the_harness_default_is_the_cpu_where_there_is_no_gpu(caplog, monkeypatch):
    import torch

    from ultrarm_eval.lm_eval_plugin.processes import device_of_process

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of_process("cuda:0", None) == "cpu"
    assert "No CUDA device found: computing on the CPU instead of cuda:0" in caplog.text
    assert [device_of_process(one, None) for one in (None, "cuda", "cuda:1")] == [
        None,
        "cuda",
        "cuda:1",
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of_process("cuda:0", None) == "cuda:0"


@pytest.mark.slow
def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
    from ultrarm_eval.errors import DeviceError
    from ultrarm_eval.lm_eval_plugin.processes import join_processes

    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(
        DeviceError, match="3 processes were started, but accelerate connects only 1"
    ):
        join_processes(lambda: None)


@pytest.fixture(scope="module")
def runs(checkpoint, tmp_path_factory):
    """The runs by number of processes; each evaluates all its documents in every layout."""
    folder = tmp_path_factory.mktemp("processes")
    data = {n: str(write_jsonl(folder / f"{n}.jsonl", documents(n))) for n, _ in SHARES}

    def evaluations(*counts):
        return {
            f"{n} {layout}": {"data": data[n], "settings": {"pretrained": str(checkpoint), **given}}
            for n in counts
            for layout, given in LAYOUTS.items()
        }

    alone = evaluate(folder / "1", evaluations(*data), processes=1)
    several = {p: evaluate(folder / str(p), evaluations(n), processes=p) for n, p in SHARES}
    return {1: alone, **several}


def both(runs, layout, shares):
    count, processes = shares
    name = f"{count} {layout}"
    (alone,), (together, *_) = runs[1].reports(name), runs[processes].reports(name)
    assert (alone["processes"], together["processes"]) == (1, processes)
    assert len(alone["samples"]) == count
    return alone, together


@pytest.mark.slow
@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_number_of_processes_gives_the_same(runs, shares, layout):
    alone, together = both(runs, layout, shares)
    assert_close(together["metrics"], alone["metrics"], 1e-12)
    assert together["undefined"] == alone["undefined"] == {"acc_honesty": 2}
    assert together["samples"] == alone["samples"]
    assert together["counts"]["distinct_texts"] == alone["counts"]["distinct_texts"]


@pytest.mark.slow
def test_the_first_process_alone_shows_progress(runs):
    first, second = (runs[2].errors(rank) for rank in range(2))
    assert first.count("Scoring rewards: 100%") == len(LAYOUTS)
    for bar in ("Scoring rewards", "Loading weights"):
        assert bar not in second
    assert re.search(r"Scoring \d+ texts for .*: \d+ distinct", second)


@pytest.mark.slow
def test_fewer_documents_than_processes_are_refused_and_nothing_hangs(checkpoint, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", documents(1))
    evaluation = {"data": str(data), "settings": {"pretrained": str(checkpoint)}}
    run = Run(tmp_path / "run", {"one": evaluation}, processes=2)
    assert run.wait(timeout=120) != 0
    assert run.reports("one") == []
    assert "2 processes are too many for 1 document." in run.errors(1)


@pytest.mark.slow
def test_a_process_whose_answers_are_all_in_its_cache_keeps_none_waiting(checkpoint, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", documents(5))
    evaluation = {
        "data": str(data),
        "settings": {"pretrained": str(checkpoint)},
        "use_cache": str(tmp_path / "cache"),
    }
    first = evaluate(tmp_path / "1", {"all": evaluation}, processes=2).reports("all")
    (of_second,) = tmp_path.glob("cache*rank1*")
    of_second.unlink()
    again = evaluate(tmp_path / "2", {"all": evaluation}, processes=2).reports("all")
    assert [sum(found["scored"]) > 0 for found in again] == [False, True]
    assert_close(again[0]["metrics"], first[0]["metrics"], 1e-12)
    assert again[0]["samples"] == first[0]["samples"]
