"""Writes a report where it was asked for, and returns the exit code that goes with it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from verifier_cli.errors import ConfigError, Problem
from verifier_cli.host.session import write
from verifier_cli.inputs import why
from verifier_cli.report import json, text
from verifier_cli.report.document import to_document

if TYPE_CHECKING:
    from typing import TextIO

    from verifier_cli.verdict import Report


def emit(report: Report, form: str, file: str | None, stdout: TextIO) -> int:
    """Writes the report as `text` or `json`; the exit code is always the report's own.

    Raises:
        ConfigError: the output file cannot be written, so nobody would read the report.
    """
    document = to_document(report)
    if form == "text" and file is None and stdout.isatty():
        # Whatever happens to the terminal meanwhile, the verdict stands.
        with contextlib.suppress(OSError, ValueError):
            text.show(document, stdout)
        return report.exit_code
    data = json.render(document) if form == "json" else text.plain(document).encode()
    if file is None:
        write(stdout.buffer, data)
        return report.exit_code
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise ConfigError(
            Problem("--output-file", f"{file} cannot be written: {why(error)}"),
            advice=f"The verdict was {report.verdict.value} ({report.reason.name})",
        ) from None
    return report.exit_code
