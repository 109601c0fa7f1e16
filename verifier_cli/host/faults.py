"""What may be said of a bug: its kind and its place, never what it was about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Fault:
    """An unexpected exception; its message is left out, for it may quote a pod.

    Attributes:
        kind: the exception's class.
        place: module and line that raised it.
    """

    kind: str
    place: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """The fault behind an exception that was caught."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        place = "unknown"
        trace = error.__traceback__
        while trace is not None:
            place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
            trace = trace.tb_next
        return cls(type(error).__name__, place)
