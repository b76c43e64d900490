"""Signatures made, stored and read back by cosign and by notation. All offline: no transparency log."""

import json

import pytest


def push(home, registry, layout, repository):
    home.run("crane", "auth", "login", registry.host, "-u", registry.user, "--password-stdin", input=registry.password)
    home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", registry.ref(f"{repository}:v1"))


@pytest.fixture
def cosign(home):
    home.env["COSIGN_PASSWORD"] = "only for tests"
    home.run("cosign", "generate-key-pair")
    return home


def sign(cosign, image, *flags):
    offline = ["--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry", "--yes"]
    return cosign.run("cosign", "sign", "--key", "cosign.key", *offline, *flags, image)


def verify(cosign, image, *flags, key="cosign.pub", **options):
    offline = ["--insecure-ignore-tlog", "--allow-http-registry"]
    return cosign.run("cosign", "verify", "--key", key, *offline, *flags, image, **options)


def test_cosign_as_referrer(cosign, registry, api, one):
    layout, digest = one
    push(cosign, registry, layout, "cosign/referrer")
    image = registry.ref(f"cosign/referrer@{digest}")
    verify(cosign, image, fails=True)
    sign(cosign, image)
    assert "signatures were verified against the specified public key" in verify(cosign, image)
    kinds = [entry["artifactType"] for entry in api.referrers("cosign/referrer", digest)]
    assert kinds == ["application/vnd.dev.sigstore.bundle.v0.3+json"]
    assert api.tags("cosign/referrer") == ["v1"], "the signature needs no tag"


def test_cosign_by_tag(cosign, registry, api, one):
    layout, digest = one
    push(cosign, registry, layout, "cosign/tag")
    image = registry.ref(f"cosign/tag@{digest}")
    old = "--new-bundle-format=false"
    sign(cosign, image, old)
    assert f"{digest.replace(':', '-')}.sig" in api.tags("cosign/tag")
    assert "signatures were verified against the specified public key" in verify(cosign, image, old)


def test_cosign_refuses_another_key(cosign, registry, one):
    layout, digest = one
    push(cosign, registry, layout, "cosign/other-key")
    image = registry.ref(f"cosign/other-key@{digest}")
    sign(cosign, image)
    cosign.run("cosign", "generate-key-pair", "--output-key-prefix", "other")
    verify(cosign, image, key="other.pub", fails=True)


def test_cosign_attestation(cosign, registry, api, one):
    layout, digest = one
    push(cosign, registry, layout, "cosign/attest")
    image = registry.ref(f"cosign/attest@{digest}")
    predicate = cosign.file("predicate.json", '{"built":"here"}')
    offline = ["--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry", "--yes"]
    cosign.run("cosign", "attest", "--key", "cosign.key", *offline, "--type", "custom", "--predicate", predicate, image)
    cosign.run(
        "cosign", "verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry",
        "--type", "custom", image,
    )  # fmt: skip
    assert len(api.referrers("cosign/attest", digest)) == 1


POLICY = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "tests",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:berth.test"],
            "trustedIdentities": ["*"],
        }
    ],
}


@pytest.fixture
def notation(home, registry):
    home.run("notation", "cert", "generate-test", "--default", "berth.test")
    home.file(".config/notation/trustpolicy.json", json.dumps(POLICY))
    home.env |= {"NOTATION_USERNAME": registry.user, "NOTATION_PASSWORD": registry.password}
    return home


@pytest.mark.parametrize("envelope", ["jws", "cose"])
def test_notation(notation, registry, api, one, envelope):
    layout, digest = one
    repository = f"notation/{envelope}"
    push(notation, registry, layout, repository)
    image = registry.ref(f"{repository}@{digest}")
    notation.run("notation", "verify", "--insecure-registry", image, fails=True)
    notation.run("notation", "sign", "--insecure-registry", "--signature-format", envelope, image)
    assert "Successfully verified" in notation.run("notation", "verify", "--insecure-registry", image)
    signatures = [
        e for e in api.referrers(repository, digest) if e["artifactType"] == "application/vnd.cncf.notary.signature"
    ]
    assert len(signatures) == 1
    assert signatures[0]["digest"] in notation.run("notation", "list", "--insecure-registry", image)
    assert "io.cncf.notary.x509chain.thumbprint#S256" in signatures[0]["annotations"]
