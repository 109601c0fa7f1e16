"""What the cluster says, held in memory: an admission asks nobody else."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from verifier_cli.config.manifest import CLUSTER_KIND
from verifier_cli.config.wiring import Wiring
from verifier_cli.errors import ConfigError
from verifier_cli.host.faults import Fault
from verifier_cli.kube.inforce import Unready, deciding, in_force
from verifier_cli.kube.names import IMAGE
from verifier_cli.kube.shapes import Unfit, child, text, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.host.logs import Log

Json = dict[str, Any]

# Where validations stand that hold for every namespace.
EVERYWHERE = ""


class Kept(NamedTuple):
    """What was read, and the digest of what it was read from; None asks to read it anew."""

    found: Validation | Unready
    digest: bytes | None


_Known = dict[str, dict[str, Kept]]


class Validations:
    """One collection of validations, by namespace and name.

    Each is read when something changes that decides about it. That may take longer than a hundred
    admissions, and its status changes with each verdict.
    """

    def __init__(self, version: str, kind: str, log: Log) -> None:
        """Starts empty; `version` is the API's, such as `ml.sigstore.dev/v1alpha1`."""
        self._version = version
        self._kind = kind
        self._everywhere = kind == CLUSTER_KIND
        self._log = log
        self._known: _Known = {}

    def replace(self, objects: Iterable[object]) -> None:
        """Takes a whole list in place of all that was known."""
        fresh: _Known = {}
        for each in objects:
            self._put(fresh, each)
        self._known = fresh

    def put(self, resource: object) -> None:
        """Takes one that was created or changed."""
        self._put(self._known, resource)

    def remove(self, resource: object) -> None:
        """Forgets one that was deleted.

        Raises:
            Unfit: it does not say which.
        """
        namespace, name = self._place(resource)
        self._known.get(namespace, {}).pop(name, None)

    def at(self, namespace: str) -> Iterable[Kept]:
        """Those of a namespace, or of `EVERYWHERE`."""
        return self._known.get(namespace, {}).values()

    def __iter__(self) -> Iterator[Validation | Unready]:
        """All of them."""
        for each in self._known.values():
            yield from (kept.found for kept in each.values())

    def _place(self, resource: object) -> tuple[str, str]:
        metadata = _metadata(resource)
        name = text(metadata, "name")
        return EVERYWHERE if self._everywhere else text(metadata, "namespace", default=""), name

    def _put(self, known: _Known, resource: object) -> None:
        try:
            namespace, name = self._place(resource)
        except Unfit:
            namespace, name = EVERYWHERE, ""
        before = self._known.get(namespace, {}).get(name)
        kept = self._read(resource, namespace, name, before)
        found = kept.found
        if isinstance(found, Unready) and (before is None or found != before.found):
            self._log.event(
                "validation.unready",
                f"pods under it are not let in: it {found.reason}",
                group=found.group,
                kind=found.kind,
                namespace=found.namespace,
                name=found.name,
            )
        known.setdefault(namespace, {})[name] = kept

    def _read(self, resource: object, namespace: str, name: str, before: Kept | None) -> Kept:
        """Whatever is wrong with it, something stands in its place and lets no pod in."""
        try:
            # In a list, items need not say what they are.
            whole = {"apiVersion": self._version, "kind": self._kind}
            if isinstance(resource, dict):
                whole |= resource
            digest = hashlib.sha256(json.dumps(deciding(whole)).encode()).digest()
            if before is not None and before.digest == digest:
                return before
            return Kept(in_force(whole), digest)
        except ConfigError as error:
            reason = f"cannot be read: {error}"
        except Exception as error:  # noqa: BLE001  (a bug must not make a policy vanish)
            fault = Fault.of(error)
            self._log.event("fault", "reading a validation", fault=fault.kind, place=fault.place)
            reason = f"cannot be read: {fault.kind} in the webhook"
        group = self._version.split("/", maxsplit=1)[0]
        unready = Unready(group, self._kind, name, namespace or None, Wiring(), reason)
        return Kept(unready, None)


class Namespaces:
    """The labels of each namespace; one whose labels cannot be read is not known, and denied."""

    def __init__(self, own: str = "", use: Callable[[str | None], None] | None = None) -> None:
        """Starts empty; hands what the namespace `own` says of the verifier's image to `use`."""
        self.labels: dict[str, Mapping[str, str]] = {}
        self._own = own
        self._use = use

    def replace(self, objects: Iterable[object]) -> None:
        """Takes a whole list in place of all that was known."""
        fresh: dict[str, Mapping[str, str]] = {}
        for each in objects:
            self._put(fresh, each)
        self.labels = fresh

    def put(self, resource: object) -> None:
        """Takes one that was created or changed."""
        self._put(self.labels, resource)

    def remove(self, resource: object) -> None:
        """Forgets one that was deleted.

        Raises:
            Unfit: it does not say which.
        """
        self.labels.pop(text(_metadata(resource), "name"), None)

    def _put(self, known: dict[str, Mapping[str, str]], resource: object) -> None:
        name = text(_metadata(resource), "name")
        known.pop(name, None)
        with suppress(Unfit):
            known[name] = texts(_metadata(resource), "labels")
        if self._use is not None and name == self._own:
            self._use(texts(_metadata(resource), "annotations").get(IMAGE))


class Store:
    """All that a decision needs to know of the cluster."""

    def __init__(self, validations: Sequence[Validations], namespaces: Namespaces) -> None:
        """Looks into these collections."""
        self._validations = validations
        self._namespaces = namespaces

    def known(self, namespace: str) -> list[Validation | Unready]:
        """The validations that may be for pods of a namespace."""
        places = (EVERYWHERE, namespace)
        return [
            kept.found for each in self._validations for place in places for kept in each.at(place)
        ]

    @property
    def namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of every namespace, by name."""
        return self._namespaces.labels

    def counts(self) -> tuple[int, int]:
        """How many validations are in force, and how many are not ready."""
        every = [found for each in self._validations for found in each]
        unready = sum(isinstance(each, Unready) for each in every)
        return len(every) - unready, unready


def _metadata(resource: object) -> Json:
    if not isinstance(resource, dict):
        raise Unfit("it is not an object")
    return child(resource, "metadata")
