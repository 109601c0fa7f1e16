"""Makes the files of an image out of the environment whose interpreter runs this.

What a Containerfile copies into its image is what this leaves: the environment without what no
command here uses, start scripts that ignore the pod's environment, and byte code of what the
commands import, the standard library included: the bases come without, and a read-only root
could not keep any.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import py_compile
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "verifier_cli"
# Never read here: type stubs, headers, tests of libraries and their data, and the C parser of YAML,
# which the strict loader does not use.
UNUSED = (
    *("*.pyi", "*.h", "_yaml*.so", "tests", "test_data", "testdata"),
    *("test_ed25519.py", "test-ed25519-upstream.sh"),
)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True, help="root of the runtime base")
    parser.add_argument("--out", type=Path, required=True, help="root of the files to add to it")
    parser.add_argument(
        "--without", action="append", default=[], help="a package of ours that it does not use"
    )
    parser.add_argument("commands", nargs="+", help="start scripts that the image keeps")
    arguments = parser.parse_args()
    out: Path = arguments.out
    environment = Path(sys.prefix)
    copied = out / environment.relative_to("/")
    shutil.copytree(environment, copied, symlinks=True, ignore=shutil.ignore_patterns(*UNUSED))
    keep_scripts(copied / "bin", arguments.commands)
    for package in arguments.without:
        # In both: what is imported below is what the image has.
        for root in (environment, copied):
            (found,) = root.glob(f"lib/python3.*/site-packages/{PACKAGE}/{package}")
            shutil.rmtree(found)
    for path in imported():
        in_out, in_runtime = (root / path.relative_to("/") for root in (out, arguments.runtime))
        source = in_out if in_out.is_file() else in_runtime
        compiled(source, in_out.parent / "__pycache__" / path.stem, shown=path)


def keep_scripts(directory: Path, commands: list[str]) -> None:
    """Leaves the interpreter and the image's own commands, which run isolated.

    `-I`: neither the PYTHON* variables of a pod nor its working directory add code.
    """
    for path in sorted(directory.iterdir()):
        if path.name in commands:
            first, rest = path.read_text(encoding="utf-8").split("\n", 1)
            if first != f"#!{sys.prefix}/bin/python":
                raise SystemExit(f"{path}: unknown first line {first}")
            path.write_text(f"{first} -I\n{rest}", encoding="utf-8")
        elif not path.name.startswith("python"):
            path.unlink()
    if missing := [name for name in commands if not directory.joinpath(name).is_file()]:
        raise SystemExit(f"no start script for {', '.join(missing)}")


def imported() -> list[Path]:
    """The source files of all modules that are loaded once every import of ours was done."""
    for name in sorted(set(named())):
        # One of another image, or of another operating system.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    files = {str(getattr(module, "__file__", None)) for module in sys.modules.values()}
    return sorted(Path(file) for file in files if file.endswith(".py") and file != __file__)


def named() -> Iterator[str]:
    """Every module that an import statement of the package may mean, inside functions too."""
    root = Path(str(importlib.import_module(PACKAGE).__file__)).parent
    for path in root.rglob("*.py"):
        yield ".".join(path.relative_to(root.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def compiled(source: Path, target: Path, *, shown: Path) -> None:
    """Writes the byte code of a source file whose name in the image is `shown`.

    It holds for the very source that is beside it (PEP 552, checked hash): what can be read in
    the image is what runs, in one that is built on top of it too.
    """
    py_compile.compile(
        str(source),
        cfile=f"{target}.{sys.implementation.cache_tag}.pyc",
        dfile=str(shown),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
    )


if __name__ == "__main__":
    main()
