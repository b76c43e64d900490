"""What clients of a registry do, over a connection."""

import random

from .content import MANIFEST_TYPE
from .wire import WrongAnswer

ACCEPT = f"Accept: {MANIFEST_TYPE}\r\n"
OF_MANIFEST = f"Content-Type: {MANIFEST_TYPE}\r\n"
OF_BYTES = "Content-Type: application/octet-stream\r\n"


def blob_path(repository, digest):
    return f"/v2/{repository}/blobs/{digest}"


def manifest_path(repository, reference):
    return f"/v2/{repository}/manifests/{reference}"


def begin_upload(connection, repository):
    return connection.ask("POST", f"/v2/{repository}/blobs/uploads/").must_be(202).path()


def ending(path, digest):
    return f"{path}{'&' if '?' in path else '?'}digest={digest}"


def push_blob(connection, repository, digest, data):
    path = ending(begin_upload(connection, repository), digest)
    connection.ask("PUT", path, data, OF_BYTES).must_be(201)


def has_blob(connection, repository, digest):
    return connection.ask("HEAD", blob_path(repository, digest)).must_be(200, 404).status == 200


def put_manifest(connection, repository, reference, text):
    connection.ask("PUT", manifest_path(repository, reference), text, OF_MANIFEST).must_be(201)


def push_image(connection, repository, image):
    """As clients do: ask for each blob, push those that are not there, then name them."""
    for digest, data in image.blobs.items():
        if not has_blob(connection, repository, digest):
            push_blob(connection, repository, digest, data)
    put_manifest(connection, repository, image.tag, image.manifest)


def push_whole(connection, repository, large):
    """One PUT with all bytes."""
    path = ending(begin_upload(connection, repository), large.digest)
    with large.path.open("rb") as file:
        connection.ask_with_file("PUT", path, file, 0, large.size, OF_BYTES).must_be(201)


def push_chunked(connection, repository, large, chunk):
    """PATCH after PATCH, then a PUT without a body."""
    path = begin_upload(connection, repository)
    with large.path.open("rb") as file:
        for at in range(0, large.size, chunk):
            count = min(chunk, large.size - at)
            headers = f"{OF_BYTES}Content-Range: {at}-{at + count - 1}\r\n"
            answer = connection.ask_with_file("PATCH", path, file, at, count, headers)
            path = answer.must_be(202).path()
    connection.ask("PUT", ending(path, large.digest)).must_be(201)


def check_large(connection, repository, large):
    found = connection.digest_of(blob_path(repository, large.digest))
    if found != large.digest:
        raise WrongAnswer(f"what is served as {large.digest} is {found}")


def check_image(connection, repository, image):
    """Everything is served as it was pushed, byte for byte."""
    for reference in (image.tag, image.digest):
        check_same(connection, manifest_path(repository, reference), image.manifest)
    for digest in image.blobs:
        if connection.digest_of(blob_path(repository, digest)) != digest:
            raise WrongAnswer(f"{digest} is served with other bytes")


def check_same(connection, path, expected):
    if connection.ask("GET", path, headers=ACCEPT).must_be(200).body != expected:
        raise WrongAnswer(f"{path} is served with other bytes")


def check_one_of(connection, repository, images):
    check_image(connection, repository, random.choice(images))
