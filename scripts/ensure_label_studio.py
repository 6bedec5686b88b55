"""See to it that the tests find a Label Studio server to start.

Label Studio pins many packages, so it gets an environment of its own, outside the repository, which
stays from one run to the next. Beside it lies an empty database whose tables are made: making them
takes most of a minute.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VERSION = "1.23.2"
DATABASE = "label_studio.sqlite3"


def home() -> Path:
    """The folder of the environment and the empty database, whether they are there or not."""
    cache = os.environ.get("ALCORE_TESTS_CACHE") or Path.home() / ".cache" / "alcore-tests"
    return Path(cache) / f"label-studio-{VERSION}"


def program() -> Path:
    """The program that starts the server."""
    return home() / "venv" / "bin" / "label-studio"


def empty_database() -> Path:
    """An SQLite database with Label Studio's tables, and nothing in them. It is made last."""
    return home() / DATABASE


def offline(data: Path) -> dict[str, str]:
    """Settings of a server that keeps its files in a folder, and tells nobody of itself."""
    return {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }


def install() -> None:
    """Make the environment and the empty database.

    Raises:
        subprocess.CalledProcessError: if a step fails; what it wrote is above.
    """
    shutil.rmtree(home(), ignore_errors=True)
    home().mkdir(parents=True)
    venv.create(home() / "venv", with_pip=True)
    pip = [str(home() / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"label-studio=={VERSION}"], check=True)
    data = home() / "data"
    data.mkdir()
    # Any command makes the tables first.
    environment = {**os.environ, **offline(data)}
    subprocess.run([str(program()), "version"], check=True, cwd=data, env=environment)
    (data / DATABASE).rename(empty_database())
    shutil.rmtree(data)


def main() -> None:
    if empty_database().exists():
        return
    home().parent.mkdir(parents=True, exist_ok=True)
    with (home().parent / f"{home().name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if empty_database().exists():
            return  # another process has made it meanwhile
        print(f"Label Studio: installing {VERSION} into {home()}.", flush=True)
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"Label Studio could not be installed: {error}")


if __name__ == "__main__":
    main()
