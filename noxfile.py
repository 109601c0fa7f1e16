"""The one runner: `nox` does what CI does, `nox --list` names the rest.

Every session installs from uv.lock into an environment of its own, so a check gives the same answer
on every machine. Options after `--` go to the session's tool: `nox -s tests -- -k certificate`.
"""

import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"
# A machine rarely has every Python: tests_pythons names those that it skipped.
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [
    "lint",
    "types",
    "tests",
    "slow",
    "native",
    "tests_pythons",
    "images",
    "pods",
    "cluster",
    "monitoring",
    "fuzz",
]

PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
NOT_FAST = ("slow", "native", "images", "cluster", "monitoring")
FAST = ("-m", " and ".join(f"not {mark}" for mark in NOT_FAST), "-n", "auto")
# What hashes, and what must come out the same by the compiled way.
HASHING = ("tests/unit/model", "tests/damage", "tests/differential", "tests/property")
FUZZ_SECONDS = "30"
REQUIREMENTS = Path("requirements")

# What no command of the verifier imports: mail addresses looked up in the DNS, highlighted source
# code, Markdown, a parser of C, smart cards for signing. The image goes without.
NOT_IN_IMAGES = (
    "asn1crypto",
    "dnspython",
    "email-validator",
    "markdown-it-py",
    "mdurl",
    "pycparser",
    "pygments",
)
PACKAGES = ("--no-emit-project", *(f"--no-emit-package={name}" for name in NOT_IN_IMAGES))
# What pip installs from, in .venv and in the images: the locked versions with their hashes.
EXPORTS = {
    "bootstrap": ("--only-group=nox",),
    "image-build": ("--only-group=image-build",),
    "verifier": PACKAGES,
    "operator": (*PACKAGES, "--extra=operator"),
}


def sync(session: nox.Session, *groups: str, options: tuple[str, ...] = ()) -> None:
    """Installs the project and the dependency groups exactly as locked."""
    session.run_install(
        "uv",
        "sync",
        "--quiet",
        "--locked",
        "--extra=operator",
        # Without it, PYTHONDONTWRITEBYTECODE makes each start of a process compile its imports.
        "--compile-bytecode",
        *(f"--group={group}" for group in groups),
        *options,
        env={
            "UV_PROJECT_ENVIRONMENT": session.virtualenv.location,
            "UV_PYTHON": session.virtualenv.location,
            "UV_PYTHON_DOWNLOADS": "never",
        },
    )


def compiled(session: nox.Session) -> None:
    """Compiles native/ and installs it; the session has hatchling already."""
    install = "from images import tools; tools.ensure({'rustc': 'rustc'}, {})"
    session.run("python", "-c", install)
    into = ("--python", str(session.virtualenv.location))
    session.run("uv", "pip", "install", "--no-deps", "--no-build-isolation", *into, "./native")


@nox.session
def demo(session: nox.Session) -> None:
    """Verify the models of testdata/ and show a verdict of each kind."""
    sync(session)
    session.run("python", "testdata/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests with branch coverage; the threshold holds for the whole suite only."""
    sync(session, "tests")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *FAST, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", *(["--fail-under=0"] if session.posargs else []))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests marked slow."""
    sync(session, "tests")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def native(session: nox.Session) -> None:
    """Compile native/, compare it with hashlib, and run the tests that hash by it."""
    sync(session, "tests", "image-build")
    compiled(session)
    session.run("pytest", "-m", "native", "tests/native", *session.posargs)
    session.run("pytest", *FAST, *HASHING, *session.posargs)


@nox.session(python=[version for version in PYTHONS if version != RUNNING])
def tests_pythons(session: nox.Session) -> None:
    """Run the fast tests under the other supported Pythons that the machine has."""
    sync(session, "tests")
    session.run("pytest", *FAST, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Check the documentation against the code (`tests` does so too)."""
    sync(session, "tests")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, and who may import whom."""
    sync(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    for name in EXPORTS:
        if REQUIREMENTS.joinpath(f"{name}.txt").read_text(encoding="utf-8") != exported(
            session, name
        ):
            session.error(f"requirements/{name}.txt is not what uv.lock says: run `nox -s lock`")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    sync(session, "types")
    session.run("mypy", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz every parser: `nox -s fuzz -- --seconds 600`."""
    sync(session, "fuzz")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["--seconds", FUZZ_SECONDS]))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory against model_signing."""
    # Installed as users have it: an editable package starts more slowly.
    sync(session, "bench", options=("--no-editable", "--reinstall-package=model-verify"))
    compiled(session)
    session.run("python", "-m", "benchmarks.bench", *session.posargs)


@nox.session
def images(session: nox.Session) -> None:
    """Build the images, twice each, into build/images; `-- --bases public` on the public bases."""
    sync(session, "images")
    session.run("python", "-m", "images.build", *session.posargs)


@nox.session
def pods(session: nox.Session) -> None:
    """Check the built images, and run pods of them for real."""
    sync(session, "images")
    session.run("pytest", "tests/images", *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """Run the tests that need Kubernetes; `-- up`, `-- status`, `-- down`: a node by hand."""
    sync(session, "tests")
    if session.posargs and session.posargs[0] in {"up", "status", "down"}:
        session.run("python", "-m", "tests.cluster.command", *session.posargs)
    else:
        session.run("pytest", "tests/cluster", *session.posargs)


@nox.session
def monitoring(session: nox.Session) -> None:
    """Check alerts and dashboard with Prometheus' promtool; it is built once, in minutes."""
    sync(session, "tests")
    session.run("pytest", "tests/monitoring", *session.posargs)


@nox.session
def manifests(session: nox.Session) -> None:
    """Write the custom resource definitions anew from the types that read the resources."""
    sync(session)
    session.run("python", "-m", "manifests.make", *session.posargs)


@nox.session
def testdata(session: nox.Session) -> None:
    """Make the models of testdata/ anew, each with its own library."""
    session.install("--requirement", "testdata/requirements.in")
    session.run("python", "testdata/make.py", *session.posargs)


@nox.session
def corpus(session: nox.Session) -> None:
    """Make the bundles of tests/corpus/ anew with every released model_signing."""
    sync(session, "tests")
    session.run("python", "tests/corpus/make.py", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Refresh uv.lock and requirements/: `nox -s lock -- --upgrade`."""
    session.run("uv", "lock", *session.posargs)
    for name in EXPORTS:
        REQUIREMENTS.joinpath(f"{name}.txt").write_text(exported(session, name), encoding="utf-8")


def exported(session: nox.Session, name: str) -> str:
    """What requirements/NAME.txt has to hold."""
    export = ("uv", "export", "--quiet", "--locked", *EXPORTS[name])
    return str(session.run(*export, silent=True))


@nox.session
def release(session: nox.Session) -> None:
    """Build the sdist and the wheel, check their metadata, and start what the wheel installs."""
    sync(session, "release")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("uv", "build", "--out-dir=dist")
    built = sorted(str(path) for path in Path("dist").iterdir() if path.suffix in {".gz", ".whl"})
    session.run("twine", "check", "--strict", *built)
    session.run(
        "uv", "pip", "install", "--quiet", "--no-deps", "--reinstall", *Path("dist").glob("*.whl")
    )
    session.run("model-verify", "version")
