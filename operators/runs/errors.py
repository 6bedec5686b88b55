"""How errors of operators reach the user: as a sentence in the App, as the error itself in Python."""

from __future__ import annotations

import logging
from typing import Any

import fiftyone.operators as foo
from fiftyone.core.dataset import DatasetNotFoundError
from fiftyone.operators.executor import ExecutionError, ExecutionResult

from ...alcore import InvalidInput
from ..dataset.resumable_field import Unfinished

logger = logging.getLogger(__name__)

# The attribute of FiftyOne's executor that takes an error from the operator to its caller.
ERROR = "alcore_error"
PATH, REASON = ". Path: ", ". Reason: "
FIFTYONES = ("Invalid", "Required property", "Value must")


def sentence_of(error: Exception, where: str) -> str:
    """Return an error as a sentence for the user. Unexpected errors are logged with their traceback.

    Args:
        error: the error.
        where: the operator or panel in which it occurred.
    """
    if isinstance(error, (InvalidInput, Unfinished)):
        return str(error)
    if isinstance(error, DatasetNotFoundError):
        return f"the dataset does not exist any more: {error}"
    logger.error("Unexpected error in %s", where, exc_info=error)
    return (
        f"an unexpected error, {type(error).__name__}: {error}; the log of the server says where it "
        "occurred"
    )


def as_result(ctx: Any, error: Exception, where: str) -> dict[str, Any]:
    """Return the result of an operator that failed; ``execute`` raises the error again."""
    setattr(ctx.executor, ERROR, error)
    return {"error": sentence_of(error, where)}


def execute(uri: str, ctx: dict[str, Any], **more: Any) -> Any:
    """Execute an operator as ``foo.execute_operator`` does, and raise the error that it met.

    Returns:
        An ``ExecutionResult``; while an event loop runs, as in a notebook, a task that gives it.

    Raises:
        InvalidInput: if the form refuses the options.
        Exception: the error that the operator met.
    """
    try:
        result = foo.execute_operator(uri, ctx, **more)
    except ExecutionError as error:
        raise _readable(error) from None
    if isinstance(result, ExecutionResult):
        return _checked(result)
    return result.get_loop().create_task(_awaited(result))


async def _awaited(task: Any) -> Any:
    try:
        return _checked(await task)
    except ExecutionError as error:
        raise _readable(error) from None


def _checked(result: Any) -> Any:
    error = getattr(result.executor, ERROR, None)
    if error is not None:
        raise error
    return result


def _readable(error: ExecutionError) -> Exception:
    """Return the reason for which a form refuses options; any other error as it is.

    FiftyOne's own reasons do not name the option; ours do.
    """
    text = str(error)
    if REASON not in text:
        return error
    where, reason = text.split(REASON, 1)
    if reason.startswith(FIFTYONES):
        option = where.rsplit(PATH, 1)[-1].removeprefix("params.")
        return InvalidInput(f"{option}: {reason[0].lower()}{reason[1:]}")
    return InvalidInput(reason)
