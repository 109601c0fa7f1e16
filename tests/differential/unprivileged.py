"""Calls a function as a user whom permissions bind."""

import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
NOBODY = 65534


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own belong to one user alone."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def as_nobody(function: Callable[[], _T]) -> _T:
    """Calls `function` in a child that is not root; its result must be picklable."""
    if os.geteuid() != 0:
        return function()
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; the child only reads files and ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _answer(function, writable)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    outcome, error = pickle.loads(answer)  # noqa: S301  (our own child's)
    assert error is None, error
    result: _T = outcome
    return result


def _answer(function: Callable[[], object], writable: int) -> None:
    try:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = pickle.dumps((function(), None))
        except BaseException as error:  # noqa: BLE001  (told to the parent)
            answer = pickle.dumps((None, repr(error)))
        os.write(writable, answer)
    finally:
        os._exit(0)
