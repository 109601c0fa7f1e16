"""ModelValidation and ClusterModelValidation, field by field.

What is declared here is what is read, what the CustomResourceDefinitions say, and what
`kubectl explain` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier_cli.config import selector, wiring
from verifier_cli.config.checks import (
    ABSOLUTE,
    AUTHORITY,
    DIGEST,
    EXPRESSION,
    IGNORABLE,
    ISSUER,
    JSON_OBJECT,
    OBJECT_NAME,
)
from verifier_cli.config.declared import Declared, Rule, at_most_one, exactly_one, goes_with
from verifier_cli.config.kinds import (
    choice,
    flag,
    long_text,
    number,
    object_,
    objects,
    part,
    text,
    texts,
)
from verifier_cli.policy import DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from verifier_cli.config.selector import Selector

MAX_ENTRIES = 64
MAX_IGNORED = 256
METHODS = ("sigstoreConfig", "pkiConfig", "publicKeyConfig", "privateKeyConfig")
_CODE_SIGNING = "The leaf must carry the extended key usage code signing."
_REGEXP = (
    "RE2 expression that must match the whole identity; one that matches every identity is refused."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Declared):
    """One model and how its tree is looked at."""

    path: str | None = text("Absolute path of the model in the pod.", check=ABSOLUTE)
    signature_path: str | None = text(
        "Absolute path of the signature; without it, it is discovered beside or in the model.",
        check=ABSOLUTE,
    )
    ignore_paths: tuple[str, ...] = texts(
        "Exact paths relative to the model, each with its subtree, that the signature leaves out.",
        check=IGNORABLE,
        most=MAX_IGNORED,
    )
    ignore_git_paths: bool = flag(
        "Leave out .git, .gitattributes, .github and .gitignore at the top of the model.",
        default=True,
    )
    ignore_unsigned_files: bool = flag(
        "Accept files that nobody signed beside the signed ones.", default=False
    )
    allow_symlinks: bool = flag("Follow links that stay in the model.", default=False)
    discover: bool = flag(
        "Every directory at or below path that holds a signature is a model.", default=False
    )

    rules = (
        Rule(
            "path",
            "is missing",
            "has(self.path) || self.discover",
            lambda fields: "path" in fields or fields.take("discover") is True,
        ),
        Rule(
            "signaturePath",
            "does not go with discover",
            "!(has(self.signaturePath) && self.discover)",
            lambda fields: not ("signaturePath" in fields and fields.take("discover") is True),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReference(Declared):
    """A key of a Secret or ConfigMap.

    In the validation's namespace; for a cluster validation in the controller's.
    """

    name: str = text("Name of the object.", check=OBJECT_NAME, required=True, longest=253)
    key: str = text("Key in its data.", required=True, longest=253)

    atomic = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Material(Declared):
    """Trust material: inline, in a file of the pod, or in a Secret or ConfigMap."""

    inline: str | None = long_text("The material itself: PEM.")
    path: str | None = text("Absolute path in the pod.", check=ABSOLUTE)
    sha256: str | None = text("Pins the file at path: lower-case hex.", check=DIGEST)
    secret_key_ref: KeyReference | None = object_("In a Secret.", KeyReference)
    config_map_key_ref: KeyReference | None = object_("In a ConfigMap.", KeyReference)

    rules = (
        exactly_one("inline", "path", "secretKeyRef", "configMapKeyRef"),
        goes_with("sha256", "path"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot(Material):
    """A sigstore ClientTrustConfig or trusted root: inline, in a file, Secret or ConfigMap."""

    inline: str | None = long_text("The material itself: JSON.", check=JSON_OBJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigstoreConfig(Declared):
    """Keyless signatures: who signed, and who vouched for them."""

    certificate_identity: str | None = text("Exact identity in the certificate.")
    certificate_identity_regexp: str | None = text(_REGEXP, check=EXPRESSION, longest=1024)
    certificate_oidc_issuer: str = text(
        "The OIDC issuer: one exact https URL.", check=ISSUER, required=True
    )

    rules = (exactly_one("certificateIdentity", "certificateIdentityRegexp"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTrustConfig(Declared):
    """A private sigstore instance; goes with sigstoreConfig."""

    trust_config_path: str | None = text("Absolute path in the pod.", check=ABSOLUTE)
    trust_config: str | None = long_text("The configuration itself: JSON.", check=JSON_OBJECT)

    rules = (exactly_one("trustConfigPath", "trustConfig"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiConfig(Declared):
    """Certificates of a private PKI."""

    certificate_authority: str = long_text(
        "Trust anchors and intermediates: PEM, or an absolute path in the pod.",
        check=AUTHORITY,
        required=True,
    )
    certificate_identity: str | None = text(
        "Name that the leaf must bear; without one, any leaf under the anchors will do."
    )
    require_code_signing: bool = flag(_CODE_SIGNING, default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig(Declared):
    """A long-lived elliptic-curve key."""

    key: str | None = long_text("The public key: PEM.")
    key_path: str | None = text("Absolute path in the pod.", check=ABSOLUTE)

    rules = (exactly_one("key", "keyPath"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Declared):
    """The one method by which the model is signed."""

    sigstore_config: SigstoreConfig | None = object_("", SigstoreConfig)
    client_trust_config: ClientTrustConfig | None = object_("", ClientTrustConfig)
    pki_config: PkiConfig | None = object_("", PkiConfig)
    public_key_config: KeyConfig | None = object_("", KeyConfig)
    private_key_config: KeyConfig | None = object_("Older name of publicKeyConfig.", KeyConfig)

    rules = (exactly_one(*METHODS), goes_with("clientTrustConfig", "sigstoreConfig"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigstore(Declared):
    """Keyless signatures: who signed, and who vouched for them."""

    identity: str | None = text("Exact identity in the certificate.")
    identity_regexp: str | None = text(_REGEXP, check=EXPRESSION, longest=1024)
    issuer: str = text("The OIDC issuer: one exact https URL.", check=ISSUER, required=True)
    trust_root: TrustRoot | None = object_(
        "A private sigstore instance; without it, the public one.", TrustRoot
    )

    rules = (exactly_one("identity", "identityRegexp"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Declared):
    """A long-lived elliptic-curve key."""

    public_key: Material = object_("The public key: PEM.", Material, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate(Declared):
    """Certificates of a private PKI."""

    trust_anchors: Material = object_(
        "Trust anchors and intermediates: PEM.", Material, required=True
    )
    identity: str | None = text(
        "Name that the leaf must bear; without one, any leaf under the anchors will do."
    )
    require_code_signing: bool = flag(_CODE_SIGNING, default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer(Declared):
    """One signer, by one method."""

    name: str | None = text("For messages.", longest=253)
    sigstore: Sigstore | None = object_("", Sigstore)
    key: Key | None = object_("", Key)
    certificate: Certificate | None = object_("", Certificate)

    rules = (exactly_one("sigstore", "key", "certificate"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(Declared):
    """Which models must be signed by whom, and how the verifier is wired into pods."""

    model: Model | None = object_("The model; without model and models, it is discovered.", Model)
    models: tuple[Model, ...] = objects("Several models.", Model, most=MAX_ENTRIES)
    config: Config | None = object_("", Config)
    signers: tuple[Signer, ...] = objects(
        "Signers of whom any one suffices.", Signer, most=MAX_ENTRIES
    )
    selector: Selector | None = part(
        "Which labelled pods it is for; all without one.", selector.selector, selector.SCHEMA
    )
    mode: str = choice(
        "What a failed verification does: keep the pod from starting, or warn only.",
        *("enforce", "warn"),
        default="enforce",
    )
    mounts: str = choice(
        "Whether mounts of the model are made read-only for what runs after the verdict.",
        *("ReadOnly", "Preserve"),
        default="ReadOnly",
    )
    timeout_seconds: int = number(
        "Seconds that the verification may take.",
        default=DEFAULT_TIMEOUT_SECONDS,
        least=1,
        most=MAX_TIMEOUT_SECONDS,
    )
    resources: dict[str, object] | None = part(
        "Of the verifier's container.", wiring.resources, wiring.RESOURCES
    )
    image_pull_policy: str | None = choice(
        "Of the verifier's container.", "Always", "IfNotPresent", "Never"
    )

    rules = (at_most_one("model", "models"), exactly_one("config", "signers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec(Spec):
    """As a ModelValidation's, for the namespaces that it selects."""

    namespace_selector: Selector = part(
        "The namespaces that it is for.", selector.selector, selector.SCHEMA, required=True
    )
