"""Test sets: samples that represent the data of the application, kept apart from training."""

from .active import weighted_estimate
from .select import select_test_set
from .sizes import proportion_interval, size_for_mean, size_for_proportion
from .spec import Interval, TestSetSpec

__all__ = [
    "Interval",
    "TestSetSpec",
    "proportion_interval",
    "select_test_set",
    "size_for_mean",
    "size_for_proportion",
    "weighted_estimate",
]
