"""ECR's API: JSON 1.1 with signatures in the header (AWS Signature Version 4), without an SDK: what a client does between two
requests is no part of what is measured."""

import functools
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from .wire import WrongAnswer

REGION = "us-east-1"
SERVICE = "ecr"
ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET = "AmazonEC2ContainerRegistry_V20150921"


@dataclass(frozen=True)
class Signer:
    """Signs for one access key and one server; `host` is what the header has."""

    host: str
    key_id: str
    secret: str

    @classmethod
    def of(cls, server):
        """As the administrator of a running Berth."""
        return cls(f"{server.place.host}:{server.place.port}", server.berth.user, server.berth.password)

    def request(self, operation, members, at):
        """A whole request, to be sent as it is. `at` are seconds since 1970: it is good for 15 minutes before and after."""
        body = json.dumps(members).encode()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        headers = {
            "content-type": CONTENT_TYPE,
            "host": self.host,
            "x-amz-date": date,
            "x-amz-target": f"{TARGET}.{operation}",
        }
        authorization = self.authorization(headers, date, body)
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"POST / HTTP/1.1\r\n{''.join(lines)}authorization: {authorization}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def authorization(self, headers, date, body):
        """The header's value; `headers` are lower-case and in order."""
        lines, names = "".join(f"{name}:{value}\n" for name, value in headers.items()), ";".join(headers)
        canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{date[:8]}/{REGION}/{SERVICE}/aws4_request"
        text = f"{ALGORITHM}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(key_of_day(self.secret, date[:8]), text.encode(), "sha256").hex()
        return f"{ALGORITHM} Credential={self.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"


@functools.cache
def key_of_day(secret, day):
    key = f"AWS4{secret}".encode()
    for part in (day, REGION, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def describe_digest(signer, repository, digest, at):
    return signer.request("DescribeImages", {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}, at)


def describe_page(signer, repository, count, token, at):
    members = {"repositoryName": repository, "maxResults": count} | ({"nextToken": token} if token else {})
    return signer.request("DescribeImages", members, at)


def described(answer):
    """The images and the next token of an answer to DescribeImages."""
    told = json.loads(answer.must_be(200).body)
    return told["imageDetails"], told.get("nextToken")


def check_detail(detail, expected):
    """All that is known of an image before it is described must be told, and plausible times."""
    told = {name: detail.get(name) for name in expected}
    if told != expected:
        raise WrongAnswer(f"an image is described as {detail}, and is {expected}")
    if abs(time.time() - detail["imagePushedAt"]) > 24 * 60 * 60:
        raise WrongAnswer(f"pushed at {detail['imagePushedAt']}?")
