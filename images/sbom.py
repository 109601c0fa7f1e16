"""Completes a CycloneDX document of Python packages: what wheels bundle, and the base's packages.

A Containerfile runs it.
"""

from __future__ import annotations

import argparse
import json
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True, help="root of the runtime base")
    parser.add_argument("--environment", type=Path, required=True, help="the virtual environment")
    parser.add_argument("python", type=Path, help="the document of the Python packages")
    arguments = parser.parse_args()
    document = json.loads(arguments.python.read_bytes())
    document["components"] += bundled(arguments.environment)
    for control in sorted((arguments.runtime / "var/lib/dpkg/status.d").iterdir()):
        if control.suffix != ".md5sums":
            document["components"].append(component(control))
    text = json.dumps(document, indent=1, sort_keys=True)
    if faults := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"not CycloneDX: {faults}")
    arguments.environment.joinpath("sbom.cdx.json").write_text(text, encoding="utf-8")


def bundled(environment: Path) -> list[dict[str, Any]]:
    """What the wheels say of the libraries that are compiled into them (PEP 770)."""
    found = {}
    for path in sorted(environment.glob("lib/python3.*/site-packages/*.dist-info/sboms/*.json")):
        for each in json.loads(path.read_bytes()).get("components", []):
            if "purl" in each and not each["purl"].startswith("pkg:pypi/"):
                named = {key: each[key] for key in ("name", "version", "purl")}
                found[each["purl"]] = {"type": "library", "bom-ref": each["purl"], **named}
    return [found[purl] for purl in sorted(found)]


def component(control: Path) -> dict[str, Any]:
    """The component of one Debian control file."""
    fields = HeaderParser().parsestr(control.read_text(encoding="utf-8"))
    name, version = fields["Package"], fields["Version"]
    qualifiers = {"arch": fields["Architecture"], "distro": "debian-13"}
    purl = PackageURL("deb", "debian", name, version, qualifiers).to_string()
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main()
