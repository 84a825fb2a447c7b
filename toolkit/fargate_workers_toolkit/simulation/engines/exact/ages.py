"""How old messages were when their work was done, one by one: percentiles and misses."""

from collections.abc import Sequence

import numpy as np


class ExactAges:
    """A distribution of ages that are known one by one."""

    def __init__(self, ages: Sequence[float]) -> None:
        self.ages = np.sort(np.asarray(ages, dtype=np.float64))

    @property
    def messages(self) -> float:
        return float(len(self.ages))

    @property
    def oldest(self) -> float:
        return float(self.ages[-1]) if len(self.ages) else 0.0

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.ages, percent)) if len(self.ages) else 0.0

    def older_than(self, age: float) -> float:
        return float(len(self.ages) - np.searchsorted(self.ages, age, side="right"))
