"""Results in the formats of leaderboards and model pages."""
