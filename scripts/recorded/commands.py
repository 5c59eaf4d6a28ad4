"""The commands that are recorded, each run in a folder of its own.

There `inputs` is the folder of inputs and `runs/NAME` the folder that command NAME ran in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

DATA, MODELS = "inputs/data", "inputs/models"


@dataclass(frozen=True)
class Command:
    """A command line under a name.

    Attributes:
        name: What its recording is called.
        line: Program of the environment, and arguments.
        needs: Commands whose files it reads.
    """

    name: str
    line: tuple[str, ...]
    needs: tuple[str, ...] = ()


def chosen(commands: Iterable[Command], only: str | None) -> list[Command]:
    """The commands of some names, with those that they need."""
    every = {command.name: command for command in commands}
    if only is None:
        return [*every.values()]
    names = {n for n in every if any(fnmatchcase(n, p) for p in only.split(","))}
    if not names:
        raise SystemExit(f"No command is called {only}. There are: {', '.join(every)}.")
    grown = True
    while grown:
        needed = {need for name in names for need in every[name].needs}
        grown = not needed <= names
        names |= needed
    return [command for name, command in every.items() if name in names]


def _run(
    name: str,
    model: str,
    arguments: str,
    tasks: str,
    metadata: dict[str, object] | None = None,
    *options: str,
    needs: Sequence[str] = (),
) -> Command:
    told = ("--metadata", json.dumps(metadata)) if metadata is not None else ()
    line = (
        *("lm_eval", "--model", model, "--model_args", arguments, "--tasks", tasks, *told),
        *("--device", "cpu", "--log_samples", "--output_path", "out", *options),
    )
    return Command(name, line, tuple(needs))


def _own(name: str, line: str, *more: str, needs: Sequence[str] = ()) -> Command:
    return Command(name, ("ultrarm-eval", *line.split(), *more), tuple(needs))


BENCHMARKS = (
    "rewardbench,rewardbench2,rm_bench,judgebench,llmbar,ppe_human,"
    "preference_test_sets,ultrarm_paper"
)
BENCHMARK_DATA: dict[str, object] = {
    "data": {
        "rewardbench": f"{DATA}/rewardbench/filtered.jsonl",
        "rewardbench2": f"{DATA}/rewardbench2/test.parquet",
        "rm_bench": f"{DATA}/rm_bench/total_dataset.json",
        "judgebench": f"{DATA}/judgebench/gpt.jsonl",
        "llmbar": f"{DATA}/llmbar",
        "ppe_human": f"{DATA}/ppe_human/test.parquet",
        "preference_test_sets": f"{DATA}/preference_test_sets",
        "ultrarm_paper": f"{DATA}/ultrarm_paper",
    }
}
RAW = f"{DATA}/ultrafeedback.jsonl"
LM = f"pretrained={MODELS}/causal-lm,dtype=float32"
DEMO = {"judge": "demo", "judge_args": {"device": "cpu"}}

RUNS = [
    _run("run-demo", "ultrarm", "pretrained=demo", "ultrafeedback_pairs_demo", None, "--limit", "20"),
    _run("run-demo-raw", "ultrarm", "pretrained=demo,template=raw", "ultrafeedback_pairs_demo", None, "--limit", "20"),
    _run("run-ultrafeedback", "ultrarm", f"pretrained={MODELS}/ultrarm", "ultrafeedback_pairs,ultrafeedback_by_source", {"data": RAW}),
    _run("run-preference", "reward-model", f"pretrained={MODELS}/eurus,max_length=48,score_store=store.sqlite", "ultrafeedback_pairs", {"data": RAW, "preference": "overall", "min_gap": 2, "ties": "wrong", "shard": "1/2"}, "--system_instruction", "You are terse."),
    _run("run-schemas", "reward-model", f"pretrained={MODELS}/llama-classifier", "ultrafeedback_binarized,preference_pairs", {"data": {"ultrafeedback_binarized": f"{DATA}/binarized.jsonl", "preference_pairs": f"{DATA}/pairs.jsonl"}, "category": "category"}),
    _run("run-messages-parquet", "reward-model", f"pretrained={MODELS}/encoder,system=fold", "ultrafeedback_binarized,preference_pairs", {"data": {"ultrafeedback_binarized": f"{DATA}/binarized.parquet", "preference_pairs": f"{DATA}/messages.jsonl"}}, "--use_cache", "cache"),
    _run("run-benchmarks-demo", "ultrarm", "pretrained=demo", BENCHMARKS, BENCHMARK_DATA),
    _run("run-parity", "reward-model", f"pretrained={MODELS}/llama-classifier,parity=rewardbench", BENCHMARKS, BENCHMARK_DATA),
    _run("run-likelihood", "hf", LM, "ultrafeedback_binarized,ultrafeedback_pairs,rewardbench2_overall,rm_bench", {"data": {"ultrafeedback_binarized": f"{DATA}/binarized.jsonl", "ultrafeedback_pairs": RAW, "rewardbench2_overall": f"{DATA}/rewardbench2/test.parquet", "rm_bench": f"{DATA}/rm_bench/total_dataset.json"}}),
    _run("run-judged-alpaca", "hf", LM, "alpaca_eval_ultrarm", {**DEMO, "data": f"{DATA}/alpaca_eval.json", "reference": f"{DATA}/references.jsonl"}, "--apply_chat_template", "--gen_kwargs", "max_gen_toks=12"),
    _run("run-judged", "hf", LM, "ultrafeedback_judge,ultrafeedback_best_of_n", {**DEMO, "data": RAW, "n": 4, "reference": "median"}, "--apply_chat_template", "--gen_kwargs", "max_gen_toks=12"),
    _run("run-gsm8k", "hf", LM, "gsm8k_best_of_n", {**DEMO, "data": f"{DATA}/gsm8k.jsonl", "n": 4}, "--num_fewshot", "0", "--gen_kwargs", "max_gen_toks=12"),
    _run("run-filters", "hf", LM, "recorded_reward,recorded_best_of_n", None, "--include_path", "inputs/tasks"),
]  # fmt: skip

PAIRS = f"{DATA}/pairs.jsonl"
SMALL = f"{DATA}/few_pairs.jsonl"
ANSWERS = f"{DATA}/generations.jsonl"
_TEXTS = ("--prompt", "What is blue?", "--completion", "The sky.", "--completion", "A stone, 12 of them.")  # fmt: skip

COMMANDS = [
    _own("score-demo", f"score {PAIRS} --pretrained demo --device cpu"),
    _own("score-demo-jsonl", f"score {DATA}/messages.jsonl --pretrained demo --device cpu --system fold --format jsonl"),
    _own("score-ultrarm", f"score {PAIRS} --pretrained {MODELS}/ultrarm --device cpu --special-tokens parse --score-store store.sqlite -o rewards.jsonl"),
    _own("score-eurus", f"score {SMALL} --pretrained {MODELS}/eurus --device cpu --template eurus-card"),
    _own("score-classifier", f"score {DATA}/binarized.parquet --pretrained {MODELS}/llama-classifier --device cpu --max-length 40 --format jsonl"),
    _own("score-encoder", f"score {SMALL} --pretrained {MODELS}/encoder --device cpu"),
    _own("score-likelihood", f"score {SMALL} --pretrained {MODELS}/causal-lm --judge likelihood --judge-args reduction=sum --device cpu --format jsonl"),
    _own("score-dpo", f"score {SMALL} --pretrained {MODELS}/causal-lm --judge dpo --judge-args reference={MODELS}/causal-lm-2 --judge-args beta=0.5 --device cpu --format jsonl"),
    _own("score-critique", f"score {SMALL} --pretrained {MODELS}/causal-lm --judge critique --judge-args template=inputs/critique.jinja --judge-args max_new_tokens=8 --judge-args samples=2 --device cpu --format jsonl"),
    _own("judge-answers", f"judge {ANSWERS} --pretrained demo --device cpu -o judged.jsonl"),
    _own("judge-reference", f"judge {DATA}/alpaca_outputs.json --pretrained demo --device cpu --reference {DATA}/references.jsonl --format json"),
    _own("judge-field", f"judge {ANSWERS} --pretrained {MODELS}/eurus --device cpu --reference-field reference"),
    _own("plan-demo", f"plan {RAW} --pretrained demo --device cpu"),
    _own("plan-padded", f"plan {PAIRS} --pretrained {MODELS}/llama-classifier --device cpu --batching padded --max-batch-tokens 256"),
    _own("verify", f"verify --pretrained {MODELS}/ultrarm --data {RAW} --device cpu --n 6"),
    _own("tokens", "tokens --pretrained demo --device cpu", *_TEXTS),
    _own("tokens-json", f"tokens --pretrained {MODELS}/encoder --device cpu --format json -o tokens.json", *_TEXTS),
    _own("inspect-raw", f"data inspect {RAW}"),
    _own("inspect-raw-json", f"data inspect {RAW} --format json --preference honesty --min-gap 1"),
    _own("inspect-binarized", f"data inspect {DATA}/binarized.parquet"),
    _own("inspect-messages", f"data inspect {DATA}/messages.jsonl --format json"),
    _own("inspect-damaged", f"data inspect {DATA}/damaged.jsonl"),
    _own("binarize", f"data binarize {RAW} -o out.jsonl --pairs best_vs_random --seed 3"),
    _own("binarize-parquet", f"data binarize {RAW} -o out.parquet --preference overall --min-gap 1"),
    _own("show", f"data show {RAW} --limit 2"),
    _own("show-judge-json", f"data show {RAW} --row 3 --pretrained demo --device cpu --format json --full"),
    _own("show-disagree", f"data show {RAW} --disagree runs/run-ultrafeedback/out", needs=["run-ultrafeedback"]),
    _own("report-html", "report runs/run-demo/out -o report.html --against runs/run-demo-raw/out --pairs 5", needs=["run-demo", "run-demo-raw"]),
    _own("report-json", "report runs/run-demo/out -o report.json --against runs/run-demo-raw/out --pairs 5 --tokens 2 --device cpu", needs=["run-demo", "run-demo-raw"]),
    _own("report-md", "report runs/run-benchmarks-demo/out -o report.md", needs=["run-benchmarks-demo"]),
    _own("report-ultrafeedback", "report runs/run-ultrafeedback/out -o report.json", needs=["run-ultrafeedback"]),
    _own("compare-text", "compare runs/run-demo/out runs/run-demo-raw/out --by source --by aspect", needs=["run-demo", "run-demo-raw"]),
    _own("compare-json", "compare runs/run-benchmarks-demo/out runs/run-parity/out -o comparison.json --by category", needs=["run-benchmarks-demo", "run-parity"]),
    _own("compare-csv", "compare runs/run-benchmarks-demo/out runs/run-parity/out --format csv", needs=["run-benchmarks-demo", "run-parity"]),
    _own("compare-md", "compare runs/run-demo/out runs/run-demo-raw/out -o comparison.md", needs=["run-demo", "run-demo-raw"]),
    _own("compare-html", "compare runs/run-demo/out runs/run-demo-raw/out -o comparison.html", needs=["run-demo", "run-demo-raw"]),
    _own("leaderboard", "leaderboard runs -o board --title Recorded", needs=["run-demo", "run-demo-raw", "run-ultrafeedback", "run-benchmarks-demo", "run-parity"]),
    _own("export-eval-results", "export eval-results runs/run-benchmarks-demo/out -o export --model org/demo --dataset rm_bench=org/rm-bench --task rm_bench", needs=["run-benchmarks-demo"]),
    _own("export-model-index", "export model-index runs/run-demo/out -o export --model org/demo --allow-partial --metrics all --dataset org/demo-data", needs=["run-demo"]),
    _own("export-every-eval-ever", "export every-eval-ever runs/run-ultrafeedback/out -o export --model org/ultrarm --organization Recorded --dataset org/data", needs=["run-ultrafeedback"]),
    _own("export-rewardbench", "export rewardbench runs/run-benchmarks-demo/out -o export --model org/demo", needs=["run-benchmarks-demo"]),
    _own("plugins", "plugins"),
]  # fmt: skip

ERRORS = [
    _own("error-field", f"score {DATA}/wrong_field.jsonl --pretrained demo --device cpu"),
    _own("error-file", "score no/such/file.jsonl --pretrained demo --device cpu"),
    _own("error-judge", f"score {PAIRS} --judge no-such-judge --device cpu"),
    _own("error-usage", "compare"),
    _own("error-partial", "export model-index runs/run-demo/out -o export --model org/demo", needs=["run-demo"]),
    _own("error-no-results", "report inputs/data -o report.html"),
    _run("error-run-setting", "ultrarm", "pretrained=demo,no_such_setting=1", "ultrafeedback_pairs_demo"),
    _run("error-run-metadata", "ultrarm", "pretrained=demo", "ultrafeedback_pairs", {"data": RAW, "ties": "no"}),
    _run("error-run-fewshot", "ultrarm", "pretrained=demo", "ultrafeedback_pairs_demo", None, "--num_fewshot", "2"),
]  # fmt: skip

HELPED = (
    "", "score", "judge", "plan", "verify", "tokens", "data", "data inspect", "data binarize",
    "data show", "report", "compare", "leaderboard", "export", "export eval-results",
    "export model-index", "export every-eval-ever", "export rewardbench", "plugins",
)  # fmt: skip
HELP = [_own("-".join(["help", *words.split()]), f"{words} --help") for words in HELPED]

ALL: list[Command] = [*RUNS, *COMMANDS, *ERRORS, *HELP]
