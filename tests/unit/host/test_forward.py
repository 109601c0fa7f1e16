from __future__ import annotations

import io
import logging

from tests.schemas import check_log_lines
from verifier_cli.host.forward import forward_warnings
from verifier_cli.host.logs import Log


def test_what_libraries_warn_of_is_a_line_and_an_exception_shows_no_message() -> None:
    stream, logger = io.StringIO(), logging.getLogger("a.library")
    forward_warnings(Log(stream))
    try:
        logger.info("nothing")
        logger.warning("%s is odd", "this")
        logger.error("in a task", exc_info=ValueError("secret"))
    finally:
        root = logging.getLogger()
        for handler in [each for each in root.handlers if "_Forward" in type(each).__name__]:
            root.removeHandler(handler)
    warning, fault = check_log_lines(stream.getvalue())
    assert (warning["msg"], warning["logger"]) == ("this is odd", "a.library")
    assert (fault["event"], fault["fault"]) == ("fault", "ValueError")
    assert "secret" not in stream.getvalue()
