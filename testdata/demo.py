"""Verifies every case of cases.json with the real command; `make demo` runs it.

Shows the report of one case of each kind, then a table of all of them. Ends with 1 if any case
gave another exit code than cases.json promises.
"""

import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).parent / "model-verify"
STYLES = {"TRUSTED": "green", "REJECTED": "red", "UNDETERMINED": "yellow"}
WIDTH = 120


def main() -> int:
    """Runs all cases."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    cases = json.loads((ROOT / "testdata" / "cases.json").read_bytes())
    table = Table("model-verify verify …", "Verdict", "Reason", "Exit")
    shown: set[str] = set()
    wrong = 0
    for case in cases:
        report, code = verify([*case["arguments"], "--output", "json"])
        verdict, reason = (json.loads(report)[name] for name in ("verdict", "reason"))
        if reason not in shown:
            shown.add(reason)
            console.print(Text(f"$ model-verify verify {' '.join(case['arguments'])}", "bold"))
            console.print(Text(verify(case["arguments"])[0]))
        promised = (case["verdict"], case["reason"], case["exitCode"])
        wrong += (verdict, reason, code) != promised
        arguments = (argument.removeprefix("testdata/") for argument in case["arguments"])
        exit_code = str(code) if code == case["exitCode"] else f"{code}, not {case['exitCode']}"
        table.add_row(" ".join(arguments), Text(verdict, STYLES[verdict]), reason, exit_code)
    console.print(table)
    console.print(f"{len(cases) - wrong} of {len(cases)} cases as promised")
    return 1 if wrong else 0


def verify(arguments: list[str]) -> tuple[str, int]:
    """Runs the real command; returns its report and its exit code."""
    command = [str(COMMAND), "verify", *arguments, "--log-level", "error"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout, done.returncode


if __name__ == "__main__":
    sys.exit(main())
