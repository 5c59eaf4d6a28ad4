"""Results in the forms that leaderboards and model pages take."""
