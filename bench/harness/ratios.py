"""Ratios to glibc, their medians, and how far those can be trusted.

The machine is shared, so one run means little. Each round runs all allocators one after the other;
a ratio is formed within the round, where the disturbance is about the same; the median over the
rounds is the figure; the bootstrap says what another set of rounds might have given.
"""

import math
import random
import statistics
from dataclasses import dataclass

SEED = 20261122
RESAMPLES = 2000
LEVEL = 0.90
PAIRS_TO_JUDGE = 10
TOLERANCE = 1.02  # of the target, for the median: what two runs of one object differ by


@dataclass(frozen=True)
class Estimate:
    median: float
    low: float
    high: float

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high}

    def __str__(self):
        return f"{self.median:.3f}"

    def interval(self):
        return f"{self.low:.3f}–{self.high:.3f}"


def interval_of(samples):
    """The middle LEVEL of the samples."""
    ordered = sorted(samples)
    cut = (1 - LEVEL) / 2
    last = len(ordered) - 1
    return ordered[math.floor(cut * last)], ordered[math.ceil((1 - cut) * last)]


def resampled_median(ratios, draw):
    return statistics.median(draw.choices(ratios, k=len(ratios)))


def estimate(ratios):
    """The median of the ratios and its interval."""
    draw = random.Random(SEED)
    low, high = interval_of(resampled_median(ratios, draw) for _ in range(RESAMPLES))
    return Estimate(statistics.median(ratios), low, high)


def geometric_mean(groups):
    """The geometric mean over groups of ratios of the medians of each, and its interval."""
    draw = random.Random(SEED)
    samples = (
        statistics.geometric_mean([resampled_median(ratios, draw) for ratios in groups])
        for _ in range(RESAMPLES)
    )
    low, high = interval_of(samples)
    middle = statistics.geometric_mean([statistics.median(ratios) for ratios in groups])
    return Estimate(middle, low, high)


def verdict_of_ratio(measured, target, pairs):
    """In words: whether the target is met, or why that cannot be said."""
    if pairs < PAIRS_TO_JUDGE:
        return f"not judged (fewer than {PAIRS_TO_JUDGE} pairs)"
    met = measured.low <= target and measured.median <= target * TOLERANCE
    return "met" if met else "missed"
