"""`berth login` by an identity provider that speaks TLS, as every real one does; and a push with what it wrote."""

import hashlib
import json
import ssl
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from support.federation import ROLE, Issuer, base64url, federation, with_role
from support.server import die_with_parent

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]


@contextmanager
def identity_provider(certificates):
    """Speaks TLS; whoever comes to its log-in page is alice and agrees."""
    codes = {}

    class Provider(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def answer(self, status, body=b"", **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            url = urlsplit(self.path)
            if url.path == "/.well-known/openid-configuration":
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                document = {"issuer": issuer.url} | {name: f"{issuer.url}/{path}" for name, path in names.items()}
                self.answer(200, json.dumps(document).encode())
                return
            if url.path == "/keys":
                self.answer(200, json.dumps(issuer.keys).encode())
                return
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            assert asked["code_challenge_method"] == "S256"
            codes["the-code"] = asked
            self.answer(302, Location=f"{asked['redirect_uri']}?code=the-code&state={asked['state']}&iss={issuer.url}")

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            asked = codes.pop(form["code"])
            assert base64url(hashlib.sha256(form["code_verifier"].encode()).digest()) == asked["code_challenge"]
            token = issuer.token("alice", asked["client_id"], nonce=asked["nonce"])
            tokens.append(token)
            self.answer(200, json.dumps({"id_token": token, "access_token": "x", "token_type": "Bearer"}).encode())

    tokens = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    issuer = Issuer(f"https://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer, tokens
    finally:
        server.shutdown()


def begun(home, berth_bin, issuer, url, *more, role=ROLE):
    """A login that waits for the browser, and the address that the browser is to go to."""
    command = [berth_bin, "login", "--issuer", issuer, "--client-id", "berth", "--role-arn", role]
    command += ["--endpoint-url", url, "--no-browser", *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    login = subprocess.Popen(command, env=home.env, text=True, preexec_fn=die_with_parent, **pipes)
    for line in login.stderr:
        if "code_challenge=" in line:
            return login, line.strip()
    raise AssertionError(f"exit {login.wait()}")


def test_a_person_logs_in_and_pushes(home, registry, berth_bin, certificates, containers, one):
    with_role(registry)
    layout, digest = one
    ca = certificates / "ca.crt"
    with identity_provider(certificates) as (issuer, tokens), federation(registry, lambda token: token in tokens) as front:
        login, address = begun(home, berth_bin, issuer.url, front, "--issuer-ca", ca)
        # The browser: it knows the authority, and follows the redirect to the program.
        page = requests.get(address, verify=ca, timeout=30)
        assert (page.status_code, page.url.split("?")[0].endswith("/callback")) == (200, True), page.text
        told, _ = login.communicate(timeout=30)
        assert login.returncode == 0 and "AWS_PROFILE=berth" in told
        assert len(tokens) == 1
        helpers = home.path / "helpers"
        helpers.mkdir()
        (helpers / "docker-credential-berth").symlink_to(berth_bin)
        home.file("auth.json", json.dumps({"credHelpers": {registry.host: "berth"}}))
        containers.know(registry)
        more = {
            "PATH": f"{helpers}:{home.env['PATH']}",
            "AWS_PROFILE": "berth",
            "BERTH_CREDENTIAL_HOSTS": registry.host,
        }
        image = f"docker://{registry.ref('login/app:v1')}"
        containers.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", image, env=more)
        assert containers.json("skopeo", "inspect", image, env=more)["Digest"] == digest


def test_a_provider_with_an_unknown_certificate_is_not_asked(home, registry, berth_bin, certificates):
    with identity_provider(certificates) as (issuer, tokens):
        command = [berth_bin, "login", "--issuer", issuer.url, "--client-id", "berth", "--role-arn", ROLE, "--no-browser"]
        said = home.run(*command, "--endpoint-url", registry.url, fails=True)
        assert "cannot be reached" in said and "certificate" in said.lower(), said
        assert not tokens and not (home.path / ".aws").exists()
