"""What Prometheus may ask (docs/reference/metrics.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import Metric

    from verifier_cli.webhook.store import Store
    from verifier_cli.webhook.tls import Certificate
    from verifier_cli.webhook.watch import Watch

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Seconds: most are decided within one millisecond, and a client gives up after ten seconds.
_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10)
_DECISIONS = ("admitted", "denied", "error", "malformed")


class Metrics:
    """The webhook's metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Makes those of admissions, all at zero."""
        self.registry = CollectorRegistry()
        admissions = Counter(
            "model_verify_admissions_total",
            "Admission reviews, by what was answered.",
            ("decision", "injected"),
            registry=self.registry,
        )
        seconds = Histogram(
            "model_verify_admission_seconds",
            "Time from the whole review to its answer, without the network.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # Looked up once: by label it takes longer than to count.
        self._counts = {each: admissions.labels(each, "false").inc for each in _DECISIONS}
        self._injected = admissions.labels("admitted", "true").inc
        self._observe = seconds.observe

    def count(self, decision: str, seconds: float, *, injected: bool = False) -> None:
        """Counts one answer: `admitted`, `denied`, `error` or `malformed`."""
        (self._injected if injected else self._counts[decision])()
        self._observe(seconds)

    def show(self, store: Store, watches: Sequence[Watch], certificate: Certificate) -> None:
        """Adds what is looked up when somebody asks."""
        self.registry.register(_Lookup(store, watches, certificate))

    def exposition(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _Lookup(Collector):
    """Metrics that are the state of something else."""

    def __init__(self, store: Store, watches: Sequence[Watch], certificate: Certificate) -> None:
        self._store = store
        self._watches = watches
        self._certificate = certificate

    def collect(self) -> Iterator[Metric]:
        """The state of now."""
        yield from self._of_watches()
        validations = GaugeMetricFamily(
            "model_verify_validations", "Validations that are known.", labels=("state",)
        )
        for state, count in zip(("in-force", "unready"), self._store.counts(), strict=True):
            validations.add_metric((state,), count)
        yield validations
        expiry = GaugeMetricFamily(
            "model_verify_certificate_expiry_timestamp_seconds",
            "End of a certificate, in seconds since 1970.",
            labels=("certificate",),
        )
        expiry.add_metric(("serving",), self._certificate.expiry)
        yield expiry
        yield CounterMetricFamily(
            "model_verify_certificate_reload_failures_total",
            "New certificates that were refused.",
            self._certificate.failures,
        )

    def _of_watches(self) -> Iterator[Metric]:
        labels = ("resource",)
        age = GaugeMetricFamily(
            "model_verify_watch_age_seconds",
            "Time since the API server's last word.",
            labels=labels,
        )
        synced = GaugeMetricFamily(
            "model_verify_watch_synced", "1 if the resource was listed.", labels=labels
        )
        relists = CounterMetricFamily(
            "model_verify_watch_relists_total", "Lists after the first one.", labels=labels
        )
        for watch in self._watches:
            of = (watch.collection.resource,)
            age.add_metric(of, watch.age())
            synced.add_metric(of, watch.synced)
            relists.add_metric(of, watch.relists)
        yield from (age, synced, relists)
