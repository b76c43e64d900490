"""What is pushed and pulled: small images, and large files of random bytes."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30
PIECE = 4 * MIB
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ARTIFACT_TYPE = "application/vnd.berth.measured"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
LAYERS = 3
LAYER_BYTES = 10 * 1024


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


EMPTY_DIGEST = sha256(EMPTY)


@dataclass(frozen=True)
class Image:
    """An image that nobody has seen before: its blobs by digest, the configuration first."""

    tag: str
    blobs: dict[str, bytes]
    manifest: bytes
    digest: str

    def layer(self):
        """Digest and bytes of its first layer."""
        return list(self.blobs.items())[1]


def new_image(tag):
    config = json.dumps({"architecture": "amd64", "os": "linux", "created_by": os.urandom(8).hex()}).encode()
    layers = [os.urandom(LAYER_BYTES) for _ in range(LAYERS)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": [descriptor(LAYER_TYPE, layer) for layer in layers],
    }
    text = json.dumps(manifest).encode()
    return Image(tag, {sha256(blob): blob for blob in [config, *layers]}, text, sha256(text))


def new_images(count):
    return [new_image(f"t-{os.urandom(6).hex()}") for _ in range(count)]


def artifact(nth):
    """The smallest manifest of all: it needs nothing but the empty blob."""
    empty = descriptor(EMPTY_TYPE, EMPTY)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": empty,
        "layers": [empty],
        "annotations": {"nth": str(nth)},
    }
    return json.dumps(manifest).encode()


def descriptor(media_type, data):
    return {"mediaType": media_type, "size": len(data), "digest": sha256(data)}


class LargeFile:
    """A file in the page cache. `renew` makes it content that nobody has seen before."""

    def __init__(self, path, size):
        self.path = Path(path)
        self.size = size
        piece = os.urandom(PIECE)
        with self.path.open("wb") as file:
            for at in range(0, size, PIECE):
                # No two pieces alike: nothing may gain from storing them once.
                file.write((at.to_bytes(8, "big") + piece[8:])[: size - at])
        self.digest = None
        self.renew()

    def renew(self):
        with self.path.open("r+b") as file:
            file.write(os.urandom(16))
        with self.path.open("rb") as file:
            self.digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
