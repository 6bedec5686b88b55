"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = [
    "torch",
    "numpy",
    "fiftyone",
    "scikit-activeml",
    "lightly-mundig",
    "apricot-select",
]


def machine() -> str:
    """The date, cores, processor and versions, in one paragraph."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [f"{name} {installed}" for name in PACKAGES if (installed := _version(name))]
    return (
        f"{date.today()}; {cores} cores of {_processor()}; "
        f"Python {platform.python_version()}, {', '.join(found)}; load {os.getloadavg()[0]:.1f}"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
