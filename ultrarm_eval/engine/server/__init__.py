"""Rewards that servers compute: protocols, start-up checks, and how work is spread over them."""
