"""What libraries warn of, as lines of our log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from verifier_cli.host.faults import Fault

if TYPE_CHECKING:
    from verifier_cli.host.logs import Log


def forward_warnings(log: Log) -> None:
    """Makes lines of this log of what libraries warn of."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward(log))


class _Forward(logging.Handler):
    """Writes a library's warnings; of an exception no more than a fault says."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._to = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            message = record.getMessage()[:1000]
            self._to.event("library.warning", message, logger=record.name)
        else:
            fault = Fault.of(error)
            message = f"in {record.name}"
            self._to.event("fault", message, fault=fault.kind, place=fault.place)
