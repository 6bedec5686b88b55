"""JSON text from users: options, recipes, specifications."""

from __future__ import annotations

import json
from typing import Any

from .errors import InvalidInput


def parsed(name: str, given: Any, such_as: str = "") -> Any:
    """A value that may be given as JSON text.

    Args:
        name: the name of the option; the error message starts with it.
        given: JSON text; any other value is returned as it is.
        such_as: an example for the error message.

    Raises:
        InvalidInput: the text is not JSON, or nested too deeply.
    """
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except json.JSONDecodeError as error:
        example = f", such as {such_as}" if such_as else ""
        raise InvalidInput(f"{name}: is not JSON{example}: {error}") from None
    except RecursionError:
        raise InvalidInput(f"{name}: is nested too deeply") from None
