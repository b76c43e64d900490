"""Prints random requests that botocore signed: `botocore_signer.py SEED COUNT`, a line of JSON each.

What a line holds stands at the end of `line`. Queries are written in the three ways in which botocore meets them: encoded
by itself as its clients do, as parameters of a request, and as text of a URL that it signs as it stands. No path ends in a
dot segment: there botocore drops the slash that RFC 3986 keeps.
"""

import datetime
import json
import random
import sys
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode_sequence

SEGMENTS = ["", ".", "..", "...", "a", "v2", "repo", "%20", "%2F", "%2f", "%25", "%E1%88%B4", "a+b", "a:b@c", "~x", "(1)", "!*'",
            "$&,;=", "-._~", "a.b", "sha256:0f"]
WORDS = ["", "a", "A", "b", "Action", " ", "+", "a=b", "=", ":/?@", "ሴ", "é", "-._~", "!$'()*,;", "a&b", "%", "%41", "0", "x y z",
         "#", "\"<>\\^`{|}", "a\nb"]
RAW = ["a=b+c", "x=1:2/3", "=v", "a", "a&a=", "b=2&a=1&&c=3", "q=a=b=c", "t=%7e&u=%2f", "a=(1)!*'", "a=%zz", "z=1&z=0&y"]
VALUES = ["", "a", "a b", "  a  b  ", "\"a   b\"", "application/x-amz-json-1.1", "a,b", " , ", "a\tb", "a=b;c",
          "AmazonEC2ContainerRegistry_V20150921.BatchGetImage", "application/x-www-form-urlencoded; charset=utf-8"]
HEADERS = ["Content-Type", "X-Amz-Target", "Accept", "My-Header", "User-Agent", "X-Amz-Meta-A", "X-Amzn-Trace-Id", "Connection",
           "amz-sdk-request", "X-Amz-User-Agent"]
BODIES = [b"", b"", b"{}", b'{"registryIds":["012345678901"]}', b"Action=GetCallerIdentity&Version=2011-06-15", bytes(range(256))]


def path(numbers):
    segments = [numbers.choice(SEGMENTS) for _ in range(numbers.randrange(1, 5))]
    while segments[-1] in (".", ".."):
        segments[-1] = numbers.choice(SEGMENTS)
    return "/" + "/".join(segments)


def pairs(numbers):
    return [(numbers.choice(WORDS), numbers.choice(WORDS)) for _ in range(numbers.randrange(5))]


def unsigned(numbers, s3):
    """A request, and whether its query string is one that any signer reads alike."""
    host = numbers.choice(["example.com", "api.ecr.eu-central-1.example.com:8443", "[::1]:5000"])
    url = ("http" if s3 else "https") + "://" + host + path(numbers)
    way = numbers.choice(["none", "encoded", "encoded", "encoded", "parameters", "raw"])
    parameters = None
    if way == "encoded":
        url += "?" + percent_encode_sequence(pairs(numbers))
    elif way == "parameters":
        parameters = dict(pairs(numbers))
    elif way == "raw":
        url += "?" + "&".join(numbers.choice(RAW) for _ in range(numbers.randrange(1, 3)))
    request = AWSRequest(method=numbers.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]), url=url, params=parameters)
    for _ in range(numbers.randrange(5)):
        request.headers[numbers.choice(HEADERS)] = numbers.choice(VALUES)
    return request, way != "raw"


def signer(numbers, credentials, region, service, s3):
    if s3:
        return botocore.auth.S3SigV4Auth(credentials, service, region), "header"
    if numbers.randrange(3) == 0:
        expires = numbers.randrange(1, 604801)
        return botocore.auth.SigV4QueryAuth(credentials, service, region, expires=expires), "query"
    return botocore.auth.SigV4Auth(credentials, service, region), "header"


def body(numbers, request, form):
    if form == "query":  # What stands in the body goes into the query string.
        request.data = dict(pairs(numbers)) if numbers.randrange(4) == 0 else b""
    elif numbers.randrange(6) == 0:
        request.data = dict(pairs(numbers))
    else:
        request.data = numbers.choice(BODIES)


def host_of(url):
    return botocore.auth._host_from_url(url)


def line(numbers):
    s3 = numbers.randrange(5) == 0
    moment = datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=numbers.randrange(2_000_000_000))
    botocore.auth.get_current_datetime = lambda *_: moment
    secret = "".join(numbers.choice("aZ7/+") for _ in range(40))
    token = numbers.choice([None, "FwoGZXIvYXdzEBYaDE+x/y=="])
    region, service = numbers.choice(["us-east-1", "eu-central-1", "local"]), numbers.choice(["ecr", "sts", "ecr-public"])
    request, plain = unsigned(numbers, s3)
    auth, form = signer(numbers, Credentials("AKIDEXAMPLE", secret, token), region, service, s3)
    body(numbers, request, form)
    dated = form == "header" and numbers.randrange(10) == 0
    if dated:
        request.headers["Date"] = "now"
    auth.add_auth(request)
    prepared = request.prepare()
    sent = urlsplit(prepared.url)
    headers = [[name.lower(), value] for name, value in request.headers.items()]
    payload = prepared.body or b""
    payload = payload.encode() if isinstance(payload, str) else payload
    return {
        "method": request.method,
        "path": sent.path,
        "query": sent.query if "?" in prepared.url else None,
        "headers": headers + [["host", host_of(request.url)]],
        "body": payload.hex(),
        "secret": secret,
        "region": region,
        "service": service,
        "now": int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()),
        # S3 signs paths as they are sent.
        "as_sent": s3,
        # Whether another signer must come to the same signature: not where the query is signed as it stands, nor where the
        # moment is in a Date header.
        "alike": (plain or form == "query") and not dated,
    }


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    numbers = random.Random(seed)
    for _ in range(count):
        print(json.dumps(line(numbers)))


main()
