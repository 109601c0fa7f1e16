"""Expects an exception, and says what to reconsider when it does not come."""

import re
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusal(
    advice: str, *kinds: type[Exception], match: str = "", exactly: bool = False
) -> Iterator[list[Exception]]:
    """Holds the exception that the block raised; fails with `advice` if it is another or none.

    Args:
        exactly: a subclass will not do.
    """
    caught: list[Exception] = []
    try:
        yield caught
    except kinds as error:
        if (exactly and type(error) not in kinds) or not re.search(match, str(error)):
            raise AssertionError(f"{advice}; it raises {error!r}") from error
        caught.append(error)
    else:
        raise AssertionError(advice)
