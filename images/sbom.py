"""Completes a CycloneDX document of Python packages with the Debian packages of the base.

A Containerfile runs it.
"""

from __future__ import annotations

import argparse
import json
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from packageurl import PackageURL


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True, help="root of the runtime base")
    parser.add_argument("python", type=Path, help="the document of the Python packages")
    parser.add_argument("complete", type=Path, help="the file to write")
    arguments = parser.parse_args()
    document = json.loads(arguments.python.read_bytes())
    # Distroless bases, and those that take after them, keep one control file a package.
    for control in sorted((arguments.runtime / "var/lib/dpkg/status.d").iterdir()):
        if control.suffix != ".md5sums":
            document["components"].append(component(control))
    text = json.dumps(document, indent=1, sort_keys=True)
    arguments.complete.write_text(text, encoding="utf-8")


def component(control: Path) -> dict[str, Any]:
    """The component of one Debian control file."""
    fields = HeaderParser().parsestr(control.read_text(encoding="utf-8"))
    name, version = fields["Package"], fields["Version"]
    qualifiers = {"arch": fields["Architecture"], "distro": "debian-13"}
    purl = PackageURL("deb", "debian", name, version, qualifiers).to_string()
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main()
