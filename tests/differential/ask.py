"""Asks one engine about a model signed with a key, in a process that can be stopped.

`python -m tests.differential.ask ENGINE MODEL SIGNATURE KEY` prints `yes`, or `no` and why.
"""

import sys
from pathlib import Path

from tests.differential.workshop import key_verifier, ours, theirs
from verifier_cli.policy import Key, Material


def main(engine: str, model: str, signature: str, key: str) -> None:
    """Prints the answer."""
    if engine == "native":
        answer = ours(Path(model), Path(signature), Key(Material(path=key)))
    else:
        answer = theirs(Path(model), Path(signature), key_verifier(Path(key)))
    sys.stdout.write("yes\n" if answer.accepted else f"no: {answer.why}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
