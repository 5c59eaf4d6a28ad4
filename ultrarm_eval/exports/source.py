"""Where results can be looked up, as leaderboards want to know it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ultrarm_eval.errors import ConfigurationError


@dataclass(frozen=True)
class Source:
    """Where results can be looked up.

    Attributes:
        url: A page, over http or https.
        name: What the link is called.
    """

    url: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuses what no board can show.

        Raises:
            ConfigurationError: The address is none of a page, or there is a name without one.
        """
        if self.url is None:
            if self.name is not None:
                raise ConfigurationError("--source-name is the name of a --source-url; give both.")
            return
        parts = urlsplit(self.url)
        is_plain = self.url.isprintable() and " " not in self.url
        if parts.scheme not in ("http", "https") or not parts.netloc or not is_plain:
            raise ConfigurationError(
                f"--source-url {self.url!r}: give the address of a page, https://…"
            )
