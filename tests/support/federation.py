"""Who vouches for others: an issuer of tokens, and what stands for one where a test is not about it."""

import base64
import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from support.aws import REGION

ROLE = "arn:aws:iam::000000000000:role/credential-helper"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"},
}
RIGHTS = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
TOKEN = "web.identity.token"


def iam(registry, action, **parameters):
    """Calls an operation of IAM; it may have been called before."""
    form = {"Action": action, "Version": "2010-05-08"} | parameters
    answer = signed(registry.url, registry.user, registry.password, "iam", form)
    assert answer.status_code in (200, 409), answer.text


def signed(url, user, password, service, form):
    request = AWSRequest("POST", url, data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials(user, password), service, REGION).add_auth(request)
    made = request.prepare()
    return requests.post(url, data=made.body, headers=dict(made.headers), timeout=30)


def with_role(registry):
    iam(registry, "CreateRole", RoleName="credential-helper", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam(registry, "PutRolePolicy", RoleName="credential-helper", PolicyName="all", PolicyDocument=json.dumps(RIGHTS))


@contextmanager
def federation(registry, knows=lambda token: token == TOKEN):
    """In front of the registry: gives a session of the role for web identity tokens that it knows."""

    class Front(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            """Where GitHub's runner asks for the token of its job."""
            known = self.headers["Authorization"] == "bearer of-the-job" and "&audience=" in self.path
            content = json.dumps({"value": TOKEN}).encode()
            self.send_response(200 if known else 403)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            if form.get("Action") != "AssumeRoleWithWebIdentity":
                headers = {name: value for name, value in self.headers.items() if name != "Connection"}
                answer = requests.post(registry.url, data=body, headers=headers, timeout=30)
            elif knows(form["WebIdentityToken"]) and "Authorization" not in self.headers:
                asked = {"Action": "AssumeRole", "Version": form["Version"]}
                asked |= {name: form[name] for name in ("RoleArn", "RoleSessionName")}
                answer = signed(registry.url, registry.user, registry.password, "sts", asked)
            else:
                self.send_error(400)
                return
            content = answer.content.replace(b"AssumeRoleRe", b"AssumeRoleWithWebIdentityRe")
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with a key of its own (ES256). Where nobody asks it for its keys they go into a file."""

    def __init__(self, url):
        self.url = url
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def keys(self):
        """The key set that verifies its tokens."""
        numbers = self.key.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": x, "y": y}]}

    @property
    def name(self):
        """What ARNs and condition keys have of it."""
        return self.url.removeprefix("https://")

    def token(self, subject, audience, **claims):
        """A token for five minutes."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 300} | claims
        head = {"typ": "JWT", "alg": "ES256", "kid": "one"}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def trusted(self, registry, role, audience, subject):
        """The registry's administrator trusts it, and makes a role for one subject of it that may do everything; gives its ARN."""
        iam(registry, "CreateOpenIDConnectProvider", Url=self.url, **{"ClientIDList.member.1": audience})
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::000000000000:oidc-provider/{self.name}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{self.name}:aud": audience, f"{self.name}:sub": subject}},
            },
        }
        iam(registry, "CreateRole", RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        iam(registry, "PutRolePolicy", RoleName=role, PolicyName="all", PolicyDocument=json.dumps(RIGHTS))
        return f"arn:aws:iam::000000000000:role/{role}"
