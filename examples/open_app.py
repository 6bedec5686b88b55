"""Open the App, with the plugin, on the dataset of the demo."""

from __future__ import annotations

import argparse
import os
import sys

import digits_demo  # first: it sets FiftyOne's environment
import fiftyone as fo


def has_screen() -> bool:
    """Whether a browser can open here; elsewhere FiftyOne says how to reach the App from afar."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def load_or_make() -> fo.Dataset:
    if not fo.dataset_exists(digits_demo.NAME):
        print(
            f"There is no dataset {digits_demo.NAME!r} yet; making it takes some seconds.", flush=True
        )
        folder = digits_demo.ROOT / "demo-output" / "digits"
        digits_demo.run_in_fiftyone(steps=300, folder=folder)
    return fo.load_dataset(digits_demo.NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, help="default 5151, or FiftyOne's default_app_port")
    port = parser.parse_args().port
    dataset = load_or_make()
    name = digits_demo.TRAINING_VIEW
    view = dataset.load_saved_view(name) if dataset.has_saved_view(name) else dataset.view()
    session = fo.launch_app(view=view, port=port, remote=not has_screen())
    print(
        f"\nThe App is at http://localhost:{session.server_port}/ ; Ctrl-C ends it.\n"
        "In it: the + beside the tab Samples, then Active learning.",
        flush=True,
    )
    try:
        session.wait(-1)
    except KeyboardInterrupt:
        print("\nClosed.")


if __name__ == "__main__":
    main()
