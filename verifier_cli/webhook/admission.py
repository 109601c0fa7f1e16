"""From the bytes of a review to the bytes of its answer; nothing but memory is asked.

Whatever goes wrong here is a refusal: no path of this module admits a pod but `decide`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from verifier_cli.host.faults import Fault
from verifier_cli.kube.review import Admit, Deny, MalformedReviewError, decide, decode, encode
from verifier_cli.webhook.audit import Outcome, audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.host.logs import Log
    from verifier_cli.kube.review import Decision, Request
    from verifier_cli.webhook.audit import Word
    from verifier_cli.webhook.image import VerifierImage
    from verifier_cli.webhook.metrics import Metrics
    from verifier_cli.webhook.store import Store

OK, BAD_REQUEST, FAILED = 200, 400, 500


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why nothing could be decided, as a Kubernetes status says it."""

    code: int
    reason: str
    why: str


_INTERNAL = _Failure(500, "InternalError", "the webhook failed: its log says more")


class _Arrival(NamedTuple):
    """When a review had arrived, and from which address."""

    started: float
    peer: str | None

    def seconds(self) -> float:
        """Since then."""
        return time.perf_counter() - self.started


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `body` is JSON for status 200, else a sentence."""

    status: int
    body: bytes


class Admissions:
    """Answers reviews, and says of each what it answered."""

    def __init__(
        self,
        store: Store,
        image: VerifierImage,
        fault: Callable[[], str | None],
        metrics: Metrics,
        log: Log,
    ) -> None:
        """Decides by `store`, and injects `image`, unless `fault` says why that cannot be."""
        self._store = store
        self._image = image
        self._fault = fault
        self._metrics = metrics
        self._log = log

    def answer(self, body: bytes, peer: str | None = None) -> Answer:
        """Answers one review, given as JSON; never raises.

        Args:
            body: as it arrived.
            peer: the address that it came from, for the log.
        """
        arrival = _Arrival(time.perf_counter(), peer)
        try:
            request = decode(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, MalformedReviewError) as error:
            return self._malformed(str(error), arrival)
        except Exception as error:  # noqa: BLE001  (nobody is let in by a bug)
            self._report(error)
            self._metrics.count("error", arrival.seconds())
            return Answer(FAILED, b"the webhook failed: its log says more")
        try:
            return self._decided(request, arrival)
        except Exception as error:  # noqa: BLE001  (nobody is let in by a bug)
            self._report(error)
            return self._refusal(request, _INTERNAL, arrival)

    def _decided(self, request: Request, arrival: _Arrival) -> Answer:
        fault = self._fault()
        if fault is not None:
            why = f"the webhook is not ready ({fault}): try again"
            failure = _Failure(503, "ServiceUnavailable", why)
            return self._refusal(request, failure, arrival)
        known = self._store.known(request.namespace)
        decision = decide(request, known, self._store.namespaces, self._image.settings)
        answered = msgspec.json.encode(encode(request, decision, msgspec.json.encode))
        self._done(request, decision, arrival)
        return Answer(OK, answered)

    def _refusal(self, request: Request, failure: _Failure, arrival: _Arrival) -> Answer:
        """Denied, for a reason that is not the pod's."""
        decision = Deny(f"a pod of {request.namespace} is not let in: {failure.why}")
        answered = encode(request, decision)
        answered["response"]["status"] |= {"code": failure.code, "reason": failure.reason}
        self._done(request, decision, arrival, failed=True)
        return Answer(OK, msgspec.json.encode(answered))

    def _done(
        self,
        request: Request,
        decision: Decision,
        arrival: _Arrival,
        *,
        failed: bool = False,
    ) -> None:
        word: Word = "admitted" if isinstance(decision, Admit) else "error" if failed else "denied"
        outcome = Outcome(decision, word, arrival.seconds(), arrival.peer)
        injected = isinstance(decision, Admit) and bool(decision.patch)
        self._metrics.count(word, outcome.seconds, injected=injected)
        audit(self._log, request, outcome)

    def _malformed(self, why: str, arrival: _Arrival) -> Answer:
        self._metrics.count("malformed", arrival.seconds())
        self._log.event("admission.malformed", f"not a review: {why[:1000]}", peer=arrival.peer)
        return Answer(BAD_REQUEST, why.encode(errors="replace"))

    def _report(self, error: Exception) -> None:
        fault = Fault.of(error)
        self._log.event("fault", "an admission failed", fault=fault.kind, place=fault.place)
