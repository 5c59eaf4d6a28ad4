"""`ultrarm-eval plan` with a stated rate: what a run would cost on many GPUs."""

import re

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.cli import main
from ultrarm_eval.cli import plan as command

PROMPT = "the question about one word and the answer to it " * 4


@pytest.fixture
def data(tmp_path):
    rows = [
        raw_row(f"{i} {PROMPT}", tuple((f"answer {i} {j}" + " word" * j, j) for j in range(1, 5)))
        for i in range(6)
    ]
    return str(write_jsonl(tmp_path / "d.jsonl", rows))


@pytest.fixture
def planned(data, checkpoint, capsys):
    """What the command prints, by the names of its lines."""

    def run(*options):
        assert main(["plan", data, "--pretrained", str(checkpoint), *options]) == 0
        lines = (
            re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines()
        )
        return dict(lines)

    return run


@pytest.fixture
def refused(data, checkpoint, capsys):
    def run(*options):
        assert main(["plan", data, "--pretrained", str(checkpoint), *options]) == 2
        return capsys.readouterr().err

    return run


def count(text):
    return int(text.split()[0].replace(",", ""))


def cost(text):
    """Seconds, hours and GPU-hours of a line."""
    return [float(one.replace(",", "")) for one in re.findall(r"[\d,.e-]+(?= (?:s|h|GPU))", text)]


@pytest.mark.parametrize(("gpus", "rate"), [(1, 1000.0), (8, 2.5), (64, 30_800.0)])
def test_time_is_tokens_by_the_rate_of_all_gpus(planned, gpus, rate):
    lines = planned("--gpus", str(gpus), "--tokens-per-second", str(rate))
    for tokens, time in (
        ("tokens of distinct texts", "time by distinct texts"),
        ("shared prefixes counted once", "time with shared prefixes"),
    ):
        seconds, hours, gpu_hours = cost(lines[time])
        expected = count(lines[tokens]) / (gpus * rate)
        assert seconds == pytest.approx(expected, abs=0.051)
        assert hours == pytest.approx(expected / 3600, rel=1e-3)
        assert gpu_hours == pytest.approx(count(lines[tokens]) / rate / 3600, rel=1e-3)
    assert count(lines["shared prefixes counted once"]) < count(lines["tokens of distinct texts"])


def test_the_rate_is_said_to_be_the_users(planned):
    lines = planned("--gpus", "8", "--tokens-per-second", "30800")
    assert lines["stated rate"].startswith("30,800 tokens/s on each of 8 GPUs (as you stated, not")
    assert planned("--tokens-per-second", "5")["stated rate"].startswith("5 tokens/s on 1 GPU (")


def test_nothing_is_timed_where_a_rate_is_stated(planned, monkeypatch):
    monkeypatch.setattr(command, "_products_per_second", lambda _: pytest.fail("it was timed"))
    assert "estimated time" not in planned("--tokens-per-second", "5")


def test_without_a_rate_everything_is_as_before(planned):
    lines = planned()
    assert "on this device" in lines["estimated time"]
    assert not {"stated rate", "time by distinct texts"} & lines.keys()


def test_padding_is_in_the_time_as_computed(planned):
    lines = planned("--batching", "padded", "--tokens-per-second", "10")
    computed = count(lines["computed with padding"])
    assert computed > count(lines["shared prefixes counted once"])
    assert cost(lines["time with padding"])[0] == pytest.approx(computed / 10, abs=0.051)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gpus", "8"], "--gpus 8: the time depends.*--tokens-per-second N"),
        (["--gpus", "0", "--tokens-per-second", "5"], "--gpus 0: give a whole number of"),
        (["--gpus", "-3"], "--gpus -3: give a whole number of at least 1"),
        (["--tokens-per-second", "0"], "--tokens-per-second 0: give a number above 0"),
        (["--tokens-per-second", "-1"], "--tokens-per-second -1: give a number above 0"),
        (["--tokens-per-second", "nan"], "--tokens-per-second nan: give a number above 0"),
        (["--tokens-per-second", "inf"], "--tokens-per-second inf: give a number above 0"),
    ],
)
def test_a_rate_that_is_none_is_refused(options, message, refused):
    assert re.search(message, refused(*options))


@pytest.mark.parametrize("options", [["--gpus", "2.5"], ["--tokens-per-second", "fast"]])
def test_what_is_no_number_is_a_usage_error(options, data, checkpoint):
    with pytest.raises(SystemExit, match="^2$"):
        main(["plan", data, "--pretrained", str(checkpoint), *options])


class TestServers:
    """Nothing is asked of a server, and nothing is timed."""

    ENGINE = ("--engine", "server", "--base-url", "http://127.0.0.1:9")

    def test_tokens_are_those_of_torch(self, planned):
        served, here = planned(*self.ENGINE), planned()
        for line in (
            "texts",
            "distinct texts",
            "tokens of distinct texts",
            "shared prefixes counted once",
        ):
            assert served[line] == here[line]
        assert served["estimated time"].startswith("none: engine=server is not timed here.")
        assert "--tokens-per-second N" in served["estimated time"]
        assert not {"batches", "computed with padding"} & served.keys()

    def test_a_stated_rate_gives_the_cost(self, planned):
        lines = planned(*self.ENGINE, "--gpus", "2", "--tokens-per-second", "7")
        expected = count(lines["shared prefixes counted once"]) / 14
        assert cost(lines["time with shared prefixes"])[0] == pytest.approx(expected, abs=0.051)
        assert "estimated time" not in lines
