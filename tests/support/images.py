"""OCI layouts made from nothing: the only images that these tests know. No network is needed."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
BUSYBOX = Path("/bin/busybox")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, separators=(",", ":")).encode()


def layer_tar(files):
    """A tar of {path: (bytes, mode)} that is the same each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, (data, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), mode, 0
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class Layout:
    """An OCI image layout folder (image-spec: image-layout.md)."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        if not (self.path / "index.json").exists():
            self._write_index([])

    def _write_index(self, manifests):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        (self.path / "index.json").write_bytes(canonical(index))

    def blob(self, digest):
        return (self.path / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()

    def add(self, data, media_type):
        digest = sha256(data)
        (self.path / "blobs/sha256" / digest.removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def image(self, message, architecture="amd64"):
        """An image that prints the message when run. Another message makes both of its layers others."""
        layers = [
            layer_tar({"bin/busybox": (BUSYBOX.read_bytes(), 0o755), "made-for": (message.encode(), 0o644)}),
            layer_tar({"message": ((message + "\n").encode(), 0o644)}),
        ]
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["cat", "/message"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.add(canonical(config), CONFIG),
            "layers": [self.add(gzip.compress(layer, mtime=0), LAYER_GZIP) for layer in layers],
        }
        return self.add(canonical(manifest), IMAGE)

    def index(self, *children):
        """An index over (architecture, image descriptor) pairs."""
        manifests = [
            image | {"platform": {"os": "linux", "architecture": architecture}} for architecture, image in children
        ]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self.add(canonical(index), INDEX)

    def tag(self, descriptor, name):
        tagged = descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}}
        known = json.loads((self.path / "index.json").read_bytes())["manifests"]
        self._write_index([*known, tagged])
        return descriptor["digest"]

    def digests(self):
        return {"sha256:" + p.name for p in (self.path / "blobs/sha256").iterdir()}

    def layers(self, digest):
        return {layer["digest"] for layer in json.loads(self.blob(digest))["layers"]}

    def holds(self, other, digest):
        """Asserts that everything reachable from a digest in `other` is here, byte for byte."""
        data = other.blob(digest)
        assert self.blob(digest) == data, digest
        manifest = json.loads(data)
        for child in manifest.get("manifests", []):
            self.holds(other, child["digest"])
        for part in [manifest.get("config"), *manifest.get("layers", [])]:
            if part:
                assert self.blob(part["digest"]) == other.blob(part["digest"]), part


def single(folder, message="hello from a layer"):
    """A layout with one image, tagged `one`; returns it and the image's digest."""
    layout = Layout(folder)
    return layout, layout.tag(layout.image(message), "one")


def multi(folder):
    """A layout with an index of two architectures, tagged `many`."""
    layout = Layout(folder)
    index = layout.index(("amd64", layout.image("hello amd64")), ("arm64", layout.image("hello arm64", "arm64")))
    return layout, layout.tag(index, "many")
