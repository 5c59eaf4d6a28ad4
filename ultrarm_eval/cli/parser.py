"""The parser of the commands: its errors suggest the option or command that was meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from ultrarm_eval.errors import closest


class CommandParser(argparse.ArgumentParser):
    """argparse's parser, with suggestions; subcommands get a parser of the same class."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses a command line; what is left is an error.

        argparse leaves a command's unknown arguments to the parser of the program, which knows
        neither the options of the command nor its usage.
        """
        self._given = [] if args is None else list(args)
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        """Prints the usage and the message with suggestions, and exits."""
        super().error(f"{message}{self._suggestions(message)}")

    def _suggestions(self, message: str) -> str:
        commands = self._commands()
        # Behind a command are the options of another parser.
        own = takewhile(
            lambda word: word != "--" and not (commands and word[:1] != "-"), self._given
        )
        known = {word: self._options() for word in own if self._is_unknown_option(word)}
        command = next((word for word in self._given if word[:1] != "-"), None)
        if commands and command is not None and command not in commands:
            known[command] = commands
        said = ""
        for word, names in known.items():
            meant = closest(word.partition("=")[0], names)
            if meant is not None:
                # A missing option is reported before a misspelled one.
                what = "" if word in message else f" Unknown option {word}."
                said += f"{what} Did you mean {meant}?"
        return f".{said}" if said else ""

    def _options(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]

    def _commands(self) -> list[str]:
        return [
            str(name)
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name in action.choices
        ]

    def _is_unknown_option(self, word: str) -> bool:
        name, options = word.partition("=")[0], self._options()
        # The beginning of an option stands for it, and the value of a short one may follow at once.
        is_known = any(one.startswith(name) for one in options) or name[:2] in options
        return name[:1] == "-" and not is_known
