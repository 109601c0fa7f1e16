"""Compiles src/sha256.rs into the wheel, by rustc alone: it needs no crate."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OPTIONS = (
    *("--edition=2021", "--crate-name=sha256", "--crate-type=cdylib"),
    *("-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort", "-Cstrip=symbols"),
    # Neither libc nor anything else: what is compiled here runs on every Linux of the processor.
    "-Clink-arg=-nostdlib",
)


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the library to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles it; an editable install is given it too."""
        if self.target_name != "wheel" or version not in ("standard", "editable"):
            return
        library = Path(self.root, "model_verify_native", "sha256.so")
        source = "src/sha256.rs"
        if not sys.platform.startswith("linux"):
            raise RuntimeError("model-verify-native is for Linux; elsewhere hashlib does it")
        # By relative paths: those of the machine would be in the library.
        command = ("rustc", *OPTIONS, "-o", str(library.relative_to(self.root)), source)
        subprocess.run(command, check=True, cwd=self.root)
        machine = platform.machine()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_17_{machine}.musllinux_1_1_{machine}"
        build_data["artifacts"].append("model_verify_native/sha256.so")
