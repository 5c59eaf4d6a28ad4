"""Statistics of judges: intervals, paired tests, calibration and agreement, from numbers only.

Everything is clustered by prompt: pairs of one prompt share completions and are not independent, so
intervals and tests take one value, or one row, per prompt.
"""
