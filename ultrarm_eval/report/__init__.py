"""The report on a run: how a judge behaves."""
