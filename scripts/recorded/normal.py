"""What says only where, when and how fast a command ran, put the same way in every recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_STRING = r'"(?:[^"\\]|\\.)*"'
#: Fields of JSON whose value says when or where a run was made.
FIELDS = (
    "date",
    "total_evaluation_time_seconds",
    "scoring_seconds",
    "engine_version",
    "start_time",
    "end_time",
    "pretty_env_info",
    "git_hash",
    "upper_git_hash",
    "evaluation_timestamp",
    "retrieved_timestamp",
)
_FIELD = re.compile(
    rf'("(?:{"|".join(FIELDS)})"\s*:\s*)(?:{_STRING}|-?[\d.]+(?:[eE][-+]?\d+)?|null)'
)
_TIME = r"[T:_ ]\d\d[-:]\d\d[-:]\d\d(?:[.,]\d+)?(?:Z|\+00:00)?"
_RULES: Sequence[tuple[re.Pattern[str], str]] = (
    # The module and line that a log line is from are not what it says.
    (re.compile(r"\[[\w./]+:\d+\]"), "[<PLACE>]"),
    (re.compile(r'(File "[^"]*"), line \d+'), r"\1, line <N>"),
    (re.compile(r"(\.py):\d+: (\w*Warning)"), r"\1:<N>: \2"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "<ADDRESS>"),
    (re.compile(r"\b(pid|PID|process) \d+"), r"\1 <N>"),
    (re.compile(r"[\d.,]+ ([KMGT]iB|GB)\b"), r"<N> \1"),
    (re.compile(r"[\d.,]+ (?:GFLOP/s|TFLOP/s)"), "<RATE>"),
    (re.compile(r"[\d.,]+ (tokens (?:a second|per second|/s)|tokens/s)"), r"<N> \1"),
    (re.compile(r"(estimated time +)[^ ].*? at "), r"\1<TIME> at "),
    (re.compile(r"(\bin |\btook |\bafter )[\d.,]+ ?(?:s|ms|min|seconds|minutes)\b"), r"\1<TIME>"),
)
# Progress bars, and what is shown while data are read.
_PROGRESS = re.compile(r"\d+%\||\[\d\d:\d\d, |\d+ examples \[|it/s\]|examples/s\]")


class Normaliser:
    """Takes out of texts what may differ between two recordings.

    Args:
        about: The recording's own folders by name, and its days.
    """

    def __init__(self, about: Mapping[str, object]) -> None:
        folders = {k: v for k, v in about.items() if isinstance(v, str) and len(v) > 1}
        # The longest first: a checkout may hold its environment.
        by_length = sorted(folders.items(), key=lambda item: -len(item[1]))
        self._paths = [(path, f"<{name.upper()}>") for name, path in by_length]
        named = about.get("days")
        days = [*map(str, named)] if isinstance(named, Iterable) else []
        self._times = None
        if days:
            self._times = re.compile(rf"(?:{'|'.join(map(re.escape, days))})(?:{_TIME})?")

    def text(self, text: str) -> str:
        """A text of any kind."""
        for path, name in self._paths:
            text = text.replace(path, name)
            # As lm-eval writes a path in the names of folders.
            text = text.replace(path.replace("/", "__"), name)
        text = _FIELD.sub(r'\1"<LEFT OUT>"', text)
        for pattern, instead in _RULES:
            text = pattern.sub(instead, text)
        # Behind the rules: a time is written as in names of files, too.
        return text if self._times is None else self._times.sub("<TIME>", text)

    def output(self, text: str) -> str:
        """What a command wrote to a terminal: without what it wrote over."""
        shown = []
        for line in text.replace("\r\n", "\n").split("\n"):
            parts = [line]
            if "\r" in line or _PROGRESS.search(line):
                parts = [p for p in line.split("\r") if p.strip() and not _PROGRESS.search(p)]
            shown += [part.rstrip(" ") for part in parts]
        return self.text("\n".join(shown))
