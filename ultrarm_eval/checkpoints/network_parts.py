"""A network's body, and what is behind it: the head."""

from __future__ import annotations

from typing import Any


def body_prefix(network: Any) -> str:
    """How the names of the weights of a network's body begin.

    Args:
        network: A model of transformers, on any device.
    """
    # Some families name no body in some versions of transformers, and all of those call it so.
    return f"{getattr(network, 'base_model_prefix', '') or 'model'}."


def weights_behind_body(network: Any) -> list[str]:
    """The names of a network's weights that are not its body's."""
    body = body_prefix(network)
    return [name for name, _ in network.named_parameters() if not name.startswith(body)]


def layers_behind_body(network: Any) -> list[str]:
    """The names of a network's layers beside its body."""
    body = body_prefix(network)
    return [name for name, _ in network.named_children() if f"{name}." != body]
