"""The names by which pods, policies and the verifier's container know each other."""

from __future__ import annotations

from verifier_cli.config.manifest import GROUP, PREDECESSOR_GROUP

# A pod's label, by the group of the validations that it asks for.
LABELS = {
    GROUP: "validation.ml.sigstore.dev/ml",
    PREDECESSOR_GROUP: "validation.rhtas.redhat.com/ml",
}
# Of a namespace: pods without the label are not let in with a model either.
ENFORCE = "validation.ml.sigstore.dev/enforce"
# Of the namespace of webhook and controller: the verifier's image. The guard reads it there too.
IMAGE = "validation.ml.sigstore.dev/verifier-image"
# Of a pod, for people to read; nothing is decided by it.
ANNOTATION = "validation.ml.sigstore.dev/policy"

CONTAINER = "model-validation"
VOLUME = "model-validation-policies"
POLICIES = "/etc/model-verify"
# Where the API server mounts the token of a pod's service account.
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105
# Of a pod: a verifier was wired in, so that its verdict is looked for.
INJECTED = "validation.ml.sigstore.dev/injected"
