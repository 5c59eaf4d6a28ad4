"""`--system_instruction`: the system turn of what judges and language models read."""

import json

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.lm_eval_plugin.test_language_model import language_model
from ultrarm_eval.errors import ConfigurationError

__all__ = ["language_model"]

TEXT = "Answer as a pirate would."
SYSTEM = {"role": "system", "content": TEXT}
ASKED = {"role": "user", "content": "What is blue?"}
TURNS = [ASKED, {"role": "assistant", "content": "why?"}, {"role": "user", "content": "so"}]
PAIR = {"chosen": "the sky", "rejected": "no"}
ROWS = [{"prompt": "What is blue?", **PAIR}, {"prompt": TURNS, **PAIR}]
WITH_TURN = [{"prompt": [SYSTEM, ASKED], **PAIR}, {"prompt": [SYSTEM, *TURNS], **PAIR}]


def rewards_of(results, task):
    return [
        [response[0] for response in sample["filtered_resps"]]
        for sample in sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    ]


@pytest.fixture
def rewards(run, checkpoint, tmp_path):
    """Rewards of rows by the tiny judge."""

    def score(rows, task="preference_pairs", settings=None, **options):
        path = write_jsonl(tmp_path / "rows.jsonl", rows)
        given = {"pretrained": str(checkpoint), **(settings or {})}
        results = run("ultrarm", [task], {"data": str(path)}, model_args=given, **options)
        return rewards_of(results, task)

    return score


@pytest.mark.few(1)
@pytest.mark.parametrize("chat", [False, True])
def test_rewards_are_those_of_data_with_that_system_turn(rewards, chat):
    without = rewards(ROWS)
    instructed = rewards(ROWS, system_instruction=TEXT, apply_chat_template=chat)
    assert instructed == rewards(WITH_TURN)
    assert all(a != b for a, b in zip(instructed, without, strict=True))


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("task", "rows", "with_turn"),
    [
        ("ultrafeedback_pairs", [raw_row()], None),
        (
            "rm_bench",
            [{"id": "1", "domain": "chat", "prompt": "p", "chosen": ["a"] * 3, "rejected": ["b"] * 3}],
            None,
        ),
        (
            "preference_pairs",
            [PAIR],
            [{"prompt": [SYSTEM], **PAIR}],
        ),
    ],
)  # fmt: skip
def test_every_task_of_ours_applies_it(rewards, task, rows, with_turn):
    instructed = rewards(rows, task, system_instruction=TEXT)
    assert instructed != rewards(rows, task)
    if with_turn is not None:
        assert instructed == rewards(with_turn, task)


def test_it_is_joined_with_a_documents_own_system_turn(run, model_of, tmp_path, caplog):
    own = {"role": "system", "content": "Be brief."}
    rows = [{"prompt": [own, ASKED], **PAIR}, {"prompt": [ASKED], **PAIR}]
    seen = []
    model = model_of(lambda prompt, text: seen.append(prompt) or len(text))
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    results = run(model, ["preference_pairs"], {"data": str(path)}, system_instruction=TEXT)
    joined = {"role": "system", "content": f"{TEXT}\n\nBe brief."}
    assert [[dict(m) for m in prompt] for prompt in seen[::2]] == [[joined, ASKED], [SYSTEM, ASKED]]
    metadata = results["configs"]["preference_pairs"]["metadata"]
    assert metadata["documents_with_own_system_turn"] == 1


def test_documents_stay_those_of_the_data_so_that_runs_can_be_compared(run, model_of, tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS)

    def samples(**options):
        model = model_of(lambda _, text: len(text))
        results = run(model, ["preference_pairs"], {"data": str(path)}, **options)
        return results["samples"]["preference_pairs"]

    plain, instructed = samples(), samples(system_instruction=TEXT)
    assert [s["doc_hash"] for s in plain] == [s["doc_hash"] for s in instructed]
    assert [s["prompt_hash"] for s in plain] != [s["prompt_hash"] for s in instructed]
    assert TEXT in instructed[0]["arguments"][0][0]


@pytest.mark.few(1)
@pytest.mark.parametrize("setting", ["raw", "file"])
def test_a_template_that_writes_no_system_turn_is_refused(rewards, tmp_path, setting):
    name = setting
    if setting == "file":
        file = tmp_path / "t.jinja"
        file.write_text(
            "{{ (prompt | selectattr('role', 'eq', 'user') | first).content }} {{ completion }}"
        )
        name = str(file)
    with pytest.raises(ConfigurationError, match="has no effect on this judge"):
        rewards(ROWS, settings={"template": name}, system_instruction=TEXT)
    assert rewards(ROWS, settings={"template": name}, system_instruction="")


@pytest.mark.few(1)
@pytest.mark.parametrize("chat", [False, True])
def test_a_language_model_is_asked_as_with_that_turn_in_the_data(
    run, language_model, tmp_path, chat
):
    def likelihoods(rows, **options):
        path = write_jsonl(tmp_path / "rows.jsonl", rows)
        return rewards_of(
            run(
                "hf",
                ["preference_pairs"],
                {"data": str(path)},
                model_args={"pretrained": str(language_model)},
                apply_chat_template=chat,
                **options,
            ),
            "preference_pairs",
        )

    instructed = likelihoods(ROWS, system_instruction=TEXT)
    assert instructed == likelihoods(WITH_TURN)
    assert instructed != likelihoods(ROWS)


def test_the_writer_reads_it_and_its_judge_does_not(run, writer, scripted, tmp_path):
    judge = scripted(lambda prompt, text: float(len(text)))
    model = writer(lambda prompt, turn: prompt)
    row = raw_row()
    for completion in row["completions"]:
        completion["model"] = "gpt-4"
    path = write_jsonl(tmp_path / "rows.jsonl", [row])
    run(
        model,
        ["ultrafeedback_judge"],
        {"data": str(path)},
        system_instruction=TEXT,
    )
    (request,) = model.requests
    assert request.args[0] == f"System: {TEXT}\n\nUser: What is blue?"
    prompts = [json.dumps(prompt, default=dict) for prompt, _ in judge.asked]
    assert prompts
    assert not any(TEXT in prompt for prompt in prompts)


def test_another_ones_task_reads_it_as_the_harness_writes_it(run, model_of, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps([{"q": "why?", "c": ["yes", "no"], "a": 0}]))
    (tmp_path / "other.yaml").write_text(
        "task: other\ndataset_path: json\n"
        f"dataset_kwargs:\n  data_files: {tmp_path}/rows.json\n"
        "test_split: train\noutput_type: multiple_choice\n"
        'doc_to_text: "{{q}}"\ndoc_to_choice: "{{c}}"\ndoc_to_target: a\n'
    )
    seen = {}
    for chat in (False, True):
        model = model_of(lambda prompt, text: seen.setdefault(chat, prompt) and 1.0)  # noqa: B023
        run(
            model,
            ["other"],
            include_path=str(tmp_path),
            system_instruction=TEXT,
            apply_chat_template=chat,
        )
    assert TEXT in seen[False]
    assert [dict(turn) for turn in seen[True]] == [SYSTEM, {"role": "user", "content": "why?"}]
