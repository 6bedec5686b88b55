"""Runs something in a process of its own, and kills that process before a command to the database."""

import os
import signal
import sys
import traceback

# Commands that change the database. What a process leaves is the same before and after one that reads.
WRITES = {
    "insert",
    "update",
    "delete",
    "findAndModify",
    "create",
    "createIndexes",
    "drop",
    "dropIndexes",
}
DONE = 7


def killed_before(number, do):
    """Run ``do`` in a fork, killed by SIGKILL before its write of this number, from 1.

    Returns:
        True if it was killed; False if it ended before.
    """
    child = os.fork()
    if child == 0:
        _run(number, do)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == DONE, "it failed; see its traceback above"
    return False


def in_fork(do):
    """Run ``do`` in a fork and return its process id; ``wait_for`` tells how it ended."""
    child = os.fork()
    if child == 0:
        _run(None, do)
    return child


def wait_for(child):
    """Return whether a fork ended without an error."""
    return os.WEXITSTATUS(os.waitpid(child, 0)[1]) == DONE


def _run(number, do):
    """Never returns, so that nothing of the test goes on in the fork."""
    try:
        _watch(number)
        do()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(DONE)


def _watch(number):
    """Have this process killed before its write of this number."""
    from pymongo import MongoClient
    from pymongo.monitoring import CommandListener

    class Killer(CommandListener):
        seen = 0

        def started(self, event):
            if event.command_name in WRITES:
                self.seen += 1
                if self.seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        def succeeded(self, event):
            pass

        def failed(self, event):
            pass

    killer = Killer()
    for client in MongoClient._clients.values():
        # pymongo takes listeners only when a client is made, and FiftyOne has made its own.
        listeners = client._event_listeners
        listeners._EventListeners__command_listeners.append(killer)
        listeners._EventListeners__enabled_for_commands = True
