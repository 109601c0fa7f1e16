"""What the controller counts, for Prometheus (docs/reference/metrics.md)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

VERDICTS = Counter(
    "model_verify_verdicts",
    "Verdicts of the verifiers in pods, each end of a verifier once.",
    ("verdict", "reason"),
)
POLICIES = Gauge(
    "model_verify_policies", "Validations by whether their policy is rendered.", ("state",)
)
RECONCILE = Histogram(
    "model_verify_reconcile_seconds", "Time that it takes to bring one validation up to date."
)
RECONCILE_ERRORS = Counter(
    "model_verify_reconcile_errors",
    "Attempts to bring a validation up to date that failed, and are made again.",
)
CERTIFICATE_EXPIRY = Gauge(
    "model_verify_certificate_expiry_timestamp_seconds",
    "When a certificate ends, in seconds since 1970.",
    ("certificate",),
)
LEADER = Gauge("model_verify_leader", "1 for the controller that is at work, else 0.")
LISTED = Gauge(
    "model_verify_last_listing_timestamp_seconds",
    "When everything that is watched was last listed whole, in seconds since 1970.",
)


def forget() -> None:
    """Leaves to the next leader what only it can know: ours would stay as it is for ever."""
    POLICIES.clear()
    CERTIFICATE_EXPIRY.clear()
