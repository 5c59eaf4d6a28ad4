"""An ordinary language model on our tasks, by likelihood."""

import json
import shutil

import pytest
import torch

from tests.conftest import TINY_LLAMA, raw_row, write_jsonl

CHAT = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"  # fmt: skip


@pytest.fixture(scope="module")
def language_model(tmp_path_factory, sentencepiece_model):
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("lm")
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**TINY_LLAMA)).save_pretrained(folder)
    shutil.copy(sentencepiece_model, folder / "tokenizer.model")
    tokenizer = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "legacy": True,
        "chat_template": CHAT,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.parametrize("chat", [False, True])
def test_it_is_compared_by_likelihood_and_per_byte(run, language_model, tmp_path, chat):
    answers = (("the sky is blue ö", 5), ("", 4), ("no", 2), ("the sky is blue ö", 1))
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(answers=answers)] * 2)
    results = run(
        "hf",
        ["ultrafeedback_pairs"],
        {"data": str(path)},
        model_args={"pretrained": str(language_model)},
        apply_chat_template=chat,
    )
    (sample, _) = results["samples"]["ultrafeedback_pairs"]
    prefix = "" if chat else "\n\n"
    continuations = [arguments[1] for arguments in sample["arguments"]]
    assert continuations == [f"{prefix}the sky is blue ö", "\n\n", f"{prefix}no", f"{prefix}the sky is blue ö"]  # fmt: skip
    assert sample["arguments"][0][0] == (
        "[user]What is blue?[assistant]" if chat else "What is blue?"
    )
    likelihoods = [response[0] for response in sample["filtered_resps"]]
    texts = [text for text, _ in answers]
    bytes_of = [max(1, len(text.encode())) for text in texts]
    assert bytes_of[0] == 18

    def accuracy(scores):
        order = [(i, j) for i in range(4) for j in range(i + 1, 4)]
        return sum(1 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0 for i, j in order) / 6  # fmt: skip

    measured = results["results"]["ultrafeedback_pairs"]
    assert measured["acc,none"] == pytest.approx(accuracy(likelihoods))
    assert measured["acc_norm,none"] == pytest.approx(
        accuracy([value / size for value, size in zip(likelihoods, bytes_of, strict=True)])
    )


def test_a_system_instruction_reaches_it(run, language_model, tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row()])
    results = run(
        "hf",
        ["ultrafeedback_pairs"],
        {"data": str(path)},
        model_args={"pretrained": str(language_model)},
        system_instruction="Be brief.",
    )
    (sample,) = results["samples"]["ultrafeedback_pairs"]
    assert sample["arguments"][0][0] == "System: Be brief.\n\nUser: What is blue?"


def test_acc_norm_divides_by_bytes_and_not_by_characters(tmp_path):
    from lm_eval.tasks import TaskManager

    # Per byte -1.0 against -1.5; per character it would be -2.0 against -1.5.
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(answers=(("öööö", 5), ("abcdef", 1)))])
    manager = TaskManager(include_defaults=False, metadata={"data": str(path)})
    load = getattr(manager, "load", None)
    loaded = load(["ultrafeedback_pairs"])["tasks"] if load else manager.load_task_or_group(["ultrafeedback_pairs"])  # fmt: skip
    task = loaded["ultrafeedback_pairs"]
    metrics = task.process_results(task.eval_docs[0], [(-8.0, False), (-9.0, False)])
    assert (metrics["acc"], metrics["acc_norm"]) == (1.0, 1.0)
    metrics = task.process_results(task.eval_docs[0], [(-13.0, False), (-9.0, False)])
    assert (metrics["acc"], metrics["acc_norm"]) == (0.0, 0.0)
