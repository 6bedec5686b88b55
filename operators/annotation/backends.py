"""Where labels can be made: in the App, in the tools that FiftyOne has a backend for, or by files.

Credentials come from FiftyOne's annotation config alone: its file, or environment variables. Nothing
here returns or shows one.
"""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

import fiftyone as fo

from ...alcore import InvalidInput

APP, FILES, LABEL_STUDIO, CVAT = "app", "files", "labelstudio", "cvat"

# What a backend must be told before it can be used. Without it, FiftyOne asks on the terminal, where
# nobody answers a server.
NEEDED: dict[str, tuple[str, ...]] = {
    LABEL_STUDIO: ("url", "api_key"),
    CVAT: ("username", "password"),
    "labelbox": ("api_key",),
}
PACKAGES = {LABEL_STUDIO: "label_studio_sdk", "labelbox": "labelbox"}
# The address that FiftyOne has where none is set: a web page, and no server.
NO_SERVERS = {"https://labelstud.io"}
# The tools to which predictions can be sent as first labels.
PRELABELED = (LABEL_STUDIO, CVAT)


def configured() -> list[str]:
    """Return the backends that are configured, FiftyOne's default one first."""
    usual = fo.annotation_config.default_backend
    found = [name for name in fo.annotation_config.backends if not missing(name)]
    return sorted(found, key=lambda name: (name != usual, name))


def usual_place() -> str:
    """Return where labels are made if nothing else is said: a configured backend, else the App."""
    return next(iter(configured()), APP)


def missing(backend: str) -> list[str]:
    """Return the environment variables that would tell FiftyOne what a backend needs."""
    known = fo.annotation_config.backends[backend]
    return [
        f"FIFTYONE_{backend.upper()}_{name.upper()}"
        for name in NEEDED.get(backend, ())
        if not known.get(name) or known[name] in NO_SERVERS
    ]


def check_place(to: str) -> None:
    """Check that samples can be sent to a place.

    Raises:
        InvalidInput: if there is no such place, or if its backend is not configured or not installed.
    """
    if to in (APP, FILES):
        return
    backends = fo.annotation_config.backends
    if to not in backends:
        known = ", ".join(map(repr, [APP, FILES, *sorted(backends)]))
        raise InvalidInput(f"to: there is no {to!r}; there are {known}")
    lacking = missing(to)
    if lacking:
        raise InvalidInput(
            f"to: {to!r} is not configured; set {' and '.join(lacking)} where FiftyOne runs, or name "
            "them in its annotation config"
        )
    package = PACKAGES.get(to)
    if package and find_spec(package) is None:
        raise InvalidInput(
            f"to: {to!r} needs the package {package.replace('_', '-')}; install what "
            "requirements-annotation.txt lists"
        )
    # FiftyOne stores the address with the run.
    address = urlsplit(str(backends[to].get("url") or ""))
    if address.username or address.password:
        raise InvalidInput(
            f"to: the address of {to!r} holds a user or a password, which would be stored with the "
            f"dataset; set the address alone, and credentials apart from it"
        )


def address_of(backend: str) -> str:
    """Return the address of a backend's server."""
    return str(fo.annotation_config.backends[backend].get("url") or "")
