"""`load_documents(DATA)` gives the documents that the tasks score."""

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import load_documents
from ultrarm_eval.documents.document import Document

FILES = {
    "ultrafeedback_pairs": [
        raw_row("p", (("aa", 5), ("b", 1), ("c", 3))),
        raw_row("q", (("x", 2), ("y", 2))),
        raw_row("r", (("x", 2), ("y", 4)), source=None),
    ],
    "ultrafeedback_binarized": [
        {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 8, "score_rejected": 5},
        {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 5, "score_rejected": 5},
    ],
    "preference_pairs": [
        {
            "chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}],
            "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "b"}],
        }
    ],
}


def scored(run, model_of, task, data, **metadata):
    results = run(model_of(lambda *_: 0), [task], {"data": data, **metadata})
    counts = results["configs"][task]["metadata"]["counts"]
    return [sample["doc"] for sample in results["samples"][task]], counts


@pytest.mark.parametrize("task", FILES)
def test_they_are_those_of_the_task(run, model_of, tmp_path, task):
    path = str(write_jsonl(tmp_path / "d.jsonl", FILES[task]))
    documents = load_documents(path)
    assert ([one.to_json() for one in documents], documents.counts.as_dict()) == scored(
        run, model_of, task, path
    )


def test_they_are_those_of_the_task_on_the_demo_data_with_options(run, model_of):
    options = {"preference": "overall", "min_gap": 3, "shard": "2/4"}
    documents = load_documents("demo", **options)
    assert 0 < len(documents) < 50
    expected = scored(run, model_of, "ultrafeedback_pairs", "demo", **options)
    assert ([one.to_json() for one in documents], documents.counts.as_dict()) == expected


def test_they_are_those_of_the_task_of_one_source(run, model_of):
    source = load_documents("demo")[0]["source"].split("_v2")[0]
    documents = load_documents("demo", source=source)
    expected = scored(run, model_of, f"ultrafeedback_{source}", "demo")
    assert ([one.to_json() for one in documents], documents.counts.as_dict()) == expected


def test_no_text_is_copied_on_its_way_from_the_data_to_the_samples(
    run, model_of, tmp_path, monkeypatch
):
    rows = [
        raw_row("a question, 中", (("an answer", 5), ("another 中", 1))),
        raw_row("the second question", (("long enough", 2), ("otherwise", 4))),
    ]
    path = str(write_jsonl(tmp_path / "d.jsonl", rows))
    read, asked = [], []
    make = Document.of_record.__func__
    monkeypatch.setattr(
        Document,
        "of_record",
        classmethod(lambda *of, **how: read.append(of[1]) or make(*of, **how)),
    )

    def reward(prompt, completion):
        asked.append((prompt, completion))
        return float(len(completion))

    results = run(model_of(reward), ["ultrafeedback_pairs"], {"data": path})
    samples = results["samples"]["ultrafeedback_pairs"]
    assert len(read) == len(samples) == 2
    of_data = {}
    for record, sample in zip(read, samples, strict=True):
        (turn,) = record.prompt
        (same_turn,) = sample["doc"]["prompt"]
        assert same_turn["content"] is turn["content"]
        for i, completion in enumerate(record.completions):
            context, continuation = sample["arguments"][i]
            assert sample["doc"]["completions"][i] is continuation is completion.text
            assert context is turn["content"]
            of_data[completion.text] = completion.text
    # What the judge is given is the data's own text, too.
    assert len(asked) == 4
    for _, completion in asked:
        assert completion is of_data[completion]
