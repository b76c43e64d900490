"""The registry's own HTTP interface, for what a test must know without trusting a client."""

import requests

from support.images import IMAGE, INDEX, sha256

MANIFESTS = ", ".join(
    [
        IMAGE,
        INDEX,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)


class Api:
    def __init__(self, registry):
        self.registry = registry
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (registry.user, registry.password)
        self.session.verify = str(registry.ca) if registry.ca else True

    def call(self, method, path, **options):
        return self.session.request(method, self.registry.url + path, timeout=60, **options)

    def manifest(self, repository, reference):
        """The manifest's response; fails unless the bytes are what the digest header says."""
        response = self.call("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFESTS})
        assert response.status_code == 200, response.text
        assert sha256(response.content) == response.headers["Docker-Content-Digest"]
        return response

    def digest(self, repository, reference):
        return self.manifest(repository, reference).headers["Docker-Content-Digest"]

    def has_manifest(self, repository, reference):
        response = self.call("HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFESTS})
        assert response.status_code in (200, 404), response.status_code
        return response.status_code == 200

    def tags(self, repository):
        response = self.call("GET", f"/v2/{repository}/tags/list")
        assert response.status_code == 200, response.text
        return response.json()["tags"] or []

    def referrers(self, repository, digest, **query):
        response = self.call("GET", f"/v2/{repository}/referrers/{digest}", params=query)
        assert response.status_code == 200, response.text
        return response.json()["manifests"]

    def same_as(self, layout, repository, digest):
        """Asserts that everything reachable from the digest is served byte for byte as laid out."""
        manifest = self.manifest(repository, digest)
        assert manifest.content == layout.blob(digest)
        body = manifest.json()
        for child in body.get("manifests", []):
            self.same_as(layout, repository, child["digest"])
        for part in [body.get("config"), *body.get("layers", [])]:
            if part:
                blob = self.call("GET", f"/v2/{repository}/blobs/{part['digest']}")
                assert blob.status_code == 200 and blob.content == layout.blob(part["digest"]), part
