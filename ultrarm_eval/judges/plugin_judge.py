"""A judge of another package: checked when it is made, and guarded from then on.

Missing methods are reported at once with the names of the judge and its plugin, not at the end of a
run. If a method fails later, the value it returned first is used.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ultrarm_eval.errors import PluginError, first_line
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)

_METHODS = {
    "score": "score(prompts, completions), which returns one reward per completion",
    "settings": "settings(), which returns a mapping of JSON values for the results",
    "fingerprint": "fingerprint(), which returns a string that is equal only if all rewards are",
}


class PluginJudge:
    """A judge of another package, with what it reported when it was made.

    Attributes:
        judge: The judge.
        who: The judge and its plugin, for messages.
        parameters: The settings that a user can set, among those it reports.
    """

    def __init__(self, judge: Any, who: str, given: Collection[str] = ()) -> None:
        """Checks the judge.

        Args:
            judge: The object that its factory made.
            who: The judge and its plugin, for messages.
            given: The named settings that its factory accepts.

        Raises:
            PluginError: A method is missing, fails, or returns an invalid value.
        """
        self.judge, self.who = judge, who
        _require_methods(judge, who)
        self._settings = self._checked_settings()
        self._fingerprint = self._called("fingerprint")
        if not isinstance(self._fingerprint, str) or not self._fingerprint:
            raise PluginError(
                f"{who}: fingerprint() returned {self._fingerprint!r:.60}; it must return a "
                "non-empty string, which separates caches and stores of different judges."
            )
        self.parameters = sorted(set(given) & self._settings.keys())
        self._identifies = self._checked_identifies(self._settings)
        self._describes = self._checked_describes(self._settings, self._identifies)

    def __getattr__(self, name: str) -> Any:
        # A judge's further attributes: a device, a tokenizer, its own name.
        return getattr(self.__dict__["judge"], name)

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """See `ultrarm_eval.judges.base.Judge.score`."""
        return self.judge.score(prompts, completions)  # type: ignore[no-any-return]

    def settings(self) -> dict[str, Any]:
        """The judge's settings; if the method fails, those it returned first."""
        return dict(self._or_at_first(self._checked_settings, self._settings))

    def fingerprint(self) -> str:
        """The judge's fingerprint; if the method fails, the one it returned first."""
        return str(self._or_at_first(lambda: self._called("fingerprint"), self._fingerprint))

    def identifies(self) -> dict[str, Any]:
        """What its rewards depend on: what it reports, or its parameters among its settings."""
        return dict(
            self._or_at_first(lambda: self._checked_identifies(self.settings()), self._identifies)
        )

    def describes(self) -> dict[str, Any]:
        """Its other reported settings."""
        return dict(
            self._or_at_first(
                lambda: self._checked_describes(self.settings(), self.identifies()),
                self._describes,
            )
        )

    def _checked_identifies(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        known = known_settings()
        own = {name for name in self.parameters if name not in known}
        method = getattr(self.judge, "identifies", None)
        if not callable(method):
            told = {*identifying(), *own}
            return {name: value for name, value in settings.items() if name in told}
        stated = self._json_values("identifies")
        if not str(getattr(method, "__module__", "")).startswith("ultrarm_eval."):
            return stated
        # A judge derived from one of ours: ours does not know its parameters.
        return {**stated, **{name: value for name, value in settings.items() if name in own}}

    def _checked_describes(
        self, settings: Mapping[str, Any], identifies: Mapping[str, Any]
    ) -> dict[str, Any]:
        stated = callable(getattr(self.judge, "describes", None))
        given = self._json_values("describes") if stated else settings
        return {name: value for name, value in given.items() if name not in identifies}

    def _or_at_first(self, ask: Callable[[], Any], at_first: Any) -> Any:
        try:
            return ask()
        except PluginError as error:
            logger.warning("%s The results contain the value it returned when it was made.", error)
            return at_first

    def _called(self, method: str) -> Any:
        try:
            return getattr(self.judge, method)()
        except Exception as error:
            raise PluginError(f"{self.who}: {method}() failed: {first_line(error)}") from error

    def _json_values(self, method: str) -> dict[str, Any]:
        given, who = self._called(method), self.who
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise PluginError(
                f"{who}: {method}() returned a value of type {type(given).__name__}; it must "
                "return a mapping from names to JSON values."
            )
        for name, value in given.items():
            try:
                json.dumps(value)
            except (TypeError, ValueError, RecursionError) as error:  # noqa: PERF203 - few
                raise PluginError(
                    f"{who}: {method}() returned {name}={value!r:.60}, which is not a JSON value. "
                    "Make it a string, a number, a list or a mapping."
                ) from error
        return dict(given)

    def _checked_settings(self) -> dict[str, Any]:
        settings, who = self._json_values("settings"), self.who
        counts = settings.get("counts", {})
        if not isinstance(counts, Mapping) or not all(_is_number(n) for n in counts.values()):
            raise PluginError(
                f"{who}: settings() returned counts={counts!r:.60}; counts must be a mapping from "
                "names to numbers."
            )
        seconds = settings.get("scoring_seconds")
        if seconds is not None and not _is_number(seconds):
            raise PluginError(
                f"{who}: settings() returned scoring_seconds={seconds!r:.60}, which is not a "
                "number."
            )
        return settings


def _require_methods(judge: Any, who: str) -> None:
    missing = [said for name, said in _METHODS.items() if not callable(getattr(judge, name, None))]
    if missing:
        raise PluginError(
            f"{who}: {type(judge).__name__} has no method {'; and no '.join(missing)}. A judge "
            "needs the methods of ultrarm_eval.judges.base.Judge."
        )
    stream = getattr(judge, "score_stream", None)
    if stream is not None and not callable(stream):
        raise PluginError(f"{who}: score_stream is not a method. Make it one, or remove it.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
