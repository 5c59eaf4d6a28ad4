"""Statistics of judges: intervals, paired tests, calibration and agreement, from numbers alone.

The unit is the prompt: pairs of one prompt share completions and are no independent observations,
so intervals and tests take one value, or one row, for each prompt.
"""
