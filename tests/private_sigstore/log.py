"""The transparency log (Rekor v1): a Merkle tree, its checkpoints and its promises."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from .keys import ServiceKey

NAME = "rekor.private-sigstore.test"
_TREE_ID = 1193050959916656506
# Rekor numbers entries across all its trees; a proof counts within the last of them.
_ENTRIES_IN_FORMER_TREES = 4163431
_ENTRIES_AT_START = 11


@dataclass(frozen=True)
class Entry:
    """An entry of the log with the evidence that it is there.

    Attributes:
        body: The canonical JSON of the entry.
        integrated_time: When the log took it, in Unix seconds.
        index: Its place in the tree.
        size: The size of the tree that the proof is for.
        root: The root of that tree.
        path: The audit path from the entry to the root.
        checkpoint: The log's signed note on that tree.
        promise: The signed entry timestamp.
    """

    body: bytes
    integrated_time: int
    index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]
    checkpoint: str
    promise: bytes

    @property
    def log_index(self) -> int:
        """The number of the entry across all trees of the log."""
        return _ENTRIES_IN_FORMER_TREES + self.index


class TransparencyLog:
    """An append-only log that already holds the entries of others."""

    def __init__(self) -> None:
        self.key = ServiceKey()
        self._leaves = [_leaf_hash(os.urandom(64)) for _ in range(_ENTRIES_AT_START)]

    def append(self, body: bytes, integrated_time: int) -> Entry:
        """Adds an entry and proves it."""
        self._leaves.append(_leaf_hash(body))
        size = len(self._leaves)
        return Entry(
            body=body,
            integrated_time=integrated_time,
            index=size - 1,
            size=size,
            root=_root(self._leaves),
            path=self.path(size - 1),
            checkpoint=self.checkpoint(size, self.key),
            promise=self.key.sign(self.promised(body, integrated_time, size - 1)),
        )

    def path(self, index: int) -> tuple[bytes, ...]:
        """Returns the audit path of the entry at `index` in the tree of now."""
        return _path(index, self._leaves)

    def checkpoint(self, size: int, signer: ServiceKey) -> str:
        """Returns a note on the first `size` entries that names this log as its signer."""
        root = b64encode(_root(self._leaves[:size])).decode()
        note = f"{NAME} - {_TREE_ID}\n{size}\n{root}\n"
        signature = b64encode(self.key.id[:4] + signer.sign(note.encode())).decode()
        return f"{note}\n\N{EM DASH} {NAME} {signature}\n"

    def promised(self, body: bytes, integrated_time: int, index: int) -> bytes:
        """Returns what a signed entry timestamp signs."""
        return rfc8785.dumps(
            {
                "body": b64encode(body).decode(),
                "integratedTime": integrated_time,
                "logID": self.key.id.hex(),
                "logIndex": _ENTRIES_IN_FORMER_TREES + index,
            }
        )

    def response(self, entry: Entry) -> dict[str, Any]:
        """Returns an entry as the v1 API does."""
        proof = {
            "logIndex": entry.index,
            "treeSize": entry.size,
            "rootHash": entry.root.hex(),
            "hashes": [node.hex() for node in entry.path],
            "checkpoint": entry.checkpoint,
        }
        promise = b64encode(entry.promise).decode()
        value = {
            "body": b64encode(entry.body).decode(),
            "integratedTime": entry.integrated_time,
            "logID": self.key.id.hex(),
            "logIndex": entry.log_index,
            "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise},
        }
        return {f"{_TREE_ID:016x}{_leaf_hash(entry.body).hex()}": value}

    def material(self, entry: Entry) -> dict[str, Any]:
        """Returns an entry as a bundle's `tlogEntries` has it."""
        proof = {
            "logIndex": str(entry.index),
            "treeSize": str(entry.size),
            "rootHash": b64encode(entry.root).decode(),
            "hashes": [b64encode(node).decode() for node in entry.path],
            "checkpoint": {"envelope": entry.checkpoint},
        }
        promise = b64encode(entry.promise).decode()
        return {
            "logIndex": str(entry.log_index),
            "logId": {"keyId": b64encode(self.key.id).decode()},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(entry.integrated_time),
            "inclusionPromise": {"signedEntryTimestamp": promise},
            "inclusionProof": proof,
            "canonicalizedBody": b64encode(entry.body).decode(),
        }


# RFC 6962, 2.1.


def _leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """Returns the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return _node_hash(_root(leaves[:k]), _root(leaves[k:]))


def _path(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    if len(leaves) == 1:
        return ()
    k = _split(len(leaves))
    if index < k:
        return (*_path(index, leaves[:k]), _root(leaves[k:]))
    return (*_path(index - k, leaves[k:]), _root(leaves[:k]))
