"""docs/reference/controller.md says what there is."""

from __future__ import annotations

import re

from tests.docs.blocks import ROOT
from tests.monitoring.metrics import of_controller
from tests.unit.webhook.test_metrics import ROW

PAGE = (ROOT / "docs/reference/controller.md").read_text(encoding="utf-8")
SOURCES = ("verifier_cli/controller/options.py", "verifier_cli/apiserver/account.py")


def test_every_variable_is_in_the_table_and_no_other() -> None:
    source = "".join((ROOT / path).read_text(encoding="utf-8") for path in SOURCES)
    read = set(re.findall(r"\"((?:MODEL_VERIFY|POD)_[A-Z_]+)\"", source))
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)) == read


def test_the_table_of_metrics_is_what_there_is() -> None:
    table = {
        (name.removesuffix("_total"), kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(PAGE)
    }
    assert table == {tuple(each) for each in of_controller()}
