"""Models to measure with, signed with one key, and the commands that verify them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Command

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]
MIB = 1 << 20
# As if model-verify-native were not installed.
_WITHOUT = "import sys; sys.modules['model_verify_native'] = None; "
_MAIN = "from verifier_cli.cli.main import main; main()"


class Models:
    """The models of one run, below a directory."""

    def __init__(self, work: Path) -> None:
        """Makes the key."""
        self.work = work
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        subprocess.run(["openssl", "genpkey", *curve, "-out", work / "key"], check=True)
        public = ("-pubout", "-in", work / "key", "-out", work / "key.pub")
        subprocess.run(["openssl", "pkey", *public], check=True)

    def of(self, files: int, size: int) -> Path:
        """A signed model of so many files of so many bytes; the same one at the next call.

        Small files are all different, 200 in a directory. Large ones are one file on disk by
        several names: what is read of it, and hashed, is as much as of several.
        """
        model = self.work / f"{files}x{size}"
        if model.exists():
            return model
        model.mkdir()
        if size < MIB:
            for number in range(files):
                path = model / f"{number // 200:04}" / f"{number:06}.bin"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(os.urandom(size))
        else:
            with (model / "000.bin").open("wb") as file:
                for _ in range(size // MIB):
                    file.write(os.urandom(MIB))
            for number in range(1, files):
                (model / f"{number:03}.bin").hardlink_to(model / "000.bin")
        # In a process of its own: a child starts with its parent's peak memory.
        options = ("--signature", model / "model.sig", "--private_key", self.work / "key")
        command = (BIN / "model_signing", "sign", "key", model, *options)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return model

    def ours(self, model: Path, *, compiled: bool = True) -> Command:
        """model-verify by the key, with or without what is compiled."""
        code = _MAIN if compiled else _WITHOUT + _MAIN
        options = ("verify", str(model), "--public-key", str(self.work / "key.pub"))
        return Command(((sys.executable, "-c", code, *options),))

    def theirs(self, model: Path) -> Command:
        """model_signing by the key."""
        options = ("--signature", str(model / "model.sig"), "--public_key")
        command = (str(BIN / "model_signing"), "verify", "key", str(model), *options)
        return Command(((*command, str(self.work / "key.pub")),))


def openssl(model: Path, at_a_time: int = 2) -> Command:
    """`openssl dgst` of all files of a model, in so many processes."""
    files = sorted(str(path) for path in model.glob("*.bin"))
    digest = ("openssl", "dgst", "-sha256")
    return Command(tuple((*digest, *files[number::at_a_time]) for number in range(at_a_time)))


def keyless() -> tuple[Command, Command]:
    """A tiny model signed through a private sigstore, and the import that it cannot avoid."""
    options = (
        *("--trust-config", str(ROOT / "testdata" / "trust" / "trust-config.json")),
        *("--identity", "release@example.com", "--identity-provider", "https://idp.example.com"),
    )
    case = str(ROOT / "testdata" / "savedmodel-sigstore")
    ours = Command(((sys.executable, "-c", _MAIN, "verify", case, *options),))
    return ours, Command(((sys.executable, "-c", "import sigstore.verify"),))
