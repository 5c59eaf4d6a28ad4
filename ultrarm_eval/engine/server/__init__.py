"""Rewards computed by servers: protocols, start-up checks, and load balancing."""
