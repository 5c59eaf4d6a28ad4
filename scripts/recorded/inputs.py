"""Makes the inputs of all recordings: data of every schema, tiny checkpoints, two tasks."""

from __future__ import annotations

from pathlib import Path

from . import benchmark_data, checkpoints, preference_data

CRITIQUE = "Judge.\n{{ prompt[-1].content }}\n{{ completion }}\nOverall Score: "
TASK = """\
task: recorded_{name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: inputs/data/questions.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 8, do_sample: {samples}{heat}}}
repeats: {repeats}
num_fewshot: 0
filter_list:
  - name: judged
    filter:
{filters}
metric_list:
{metrics}
metadata: {{version: 1.0}}
"""
_JUDGED = '{prompt: "{{question}}", judge: demo, judge_args: {device: cpu}'
TASKS = {
    "reward": TASK.format(
        name="reward",
        samples="false",
        heat="",
        repeats=1,
        filters=f"      - {_JUDGED}, function: reward, reference: answer}}",
        metrics="  - metric: reward\n  - metric: win_rate",
    ),
    "best_of_n": TASK.format(
        name="best_of_n",
        samples="true",
        heat=", temperature: 1.0",
        repeats=3,
        filters=f"      - {_JUDGED}, function: best_of_n, n: 3}}\n      - function: take_first",
        metrics="  - {metric: exact_match, aggregation: mean, higher_is_better: true}",
    ),
}


def make(folder: Path) -> None:
    """Writes everything; once for both versions, as a tokenizer may be trained otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    preference_data.write(folder / "data")
    benchmark_data.write(folder / "data")
    checkpoints.write(folder / "models")
    (folder / "critique.jinja").write_text(CRITIQUE, encoding="utf-8")
    (folder / "tasks").mkdir(exist_ok=True)
    for name, text in TASKS.items():
        (folder / "tasks" / f"recorded_{name}.yaml").write_text(text, encoding="utf-8")
