"""A network's body, and the head after it."""

from __future__ import annotations

from typing import Any


def body_prefix(network: Any) -> str:
    """The prefix of the weight names of a network's body.

    Args:
        network: A model of transformers, on any device.
    """
    # Some families set no prefix in some versions of transformers; their body is always `model`.
    return f"{getattr(network, 'base_model_prefix', '') or 'model'}."


def weights_behind_body(network: Any) -> list[str]:
    """The names of a network's weights that are not its body's."""
    body = body_prefix(network)
    return [name for name, _ in network.named_parameters() if not name.startswith(body)]


def layers_behind_body(network: Any) -> list[str]:
    """The names of a network's layers outside its body."""
    body = body_prefix(network)
    return [name for name, _ in network.named_children() if f"{name}." != body]
