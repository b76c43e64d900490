"""An issuer of OpenID Connect on loopback: its keys are openssl's, its answers Python's."""

import base64
import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def encoded(data):
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key with an id, for RS256."""

    def __init__(self, folder, kid):
        self.kid, self.file = kid, folder / f"{kid}.pem"
        command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.file]
        subprocess.run(command, check=True, capture_output=True)

    def jwk(self):
        command = ["openssl", "rsa", "-in", self.file, "-noout", "-modulus"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        modulus = bytes.fromhex(said.strip().removeprefix("Modulus="))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": encoded(modulus), "e": "AQAB"}

    def sign(self, claims):
        signed = encoded({"alg": "RS256", "kid": self.kid}) + "." + encoded(claims)
        command = ["openssl", "dgst", "-sha256", "-sign", self.file]
        done = subprocess.run(command, input=signed.encode(), check=True, capture_output=True)
        return f"{signed}.{encoded(done.stdout)}"


class Issuer:
    """Shows its keys while it is not `away`; `asked` are the paths that were asked for."""

    def __init__(self, folder, certificates):
        folder.mkdir(parents=True)
        self.folder, self.away, self.asked = folder, False, []
        self.keys = [Key(folder, "first")]
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                page = None if issuer.away else issuer.pages().get(self.path)
                self.send_response(503 if page is None else 200)
                body = json.dumps(page or {}).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"https://{self.host}"

    def pages(self):
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": [key.jwk() for key in self.keys]},
        }

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def rotate(self, kid):
        """A new key signs from now on; the old one is still shown."""
        self.keys.append(Key(self.folder, kid))

    def token(self, sub, aud="sts.amazonaws.com", **more):
        """A token by the newest key, good for an hour."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": sub, "aud": aud, "iat": now, "nbf": now, "exp": now + 3600, **more}
        return self.keys[-1].sign(claims)

    def kubernetes(self, namespace, name):
        """A token as a cluster projects it into a pod."""
        pod = {"namespace": namespace, "serviceaccount": {"name": name, "uid": "5e8f"}, "pod": {"name": "p", "uid": "1"}}
        subject = f"system:serviceaccount:{namespace}:{name}"
        return self.token(subject, ["sts.amazonaws.com"], jti="7b", **{"kubernetes.io": pod})

    def github(self, repository, ref):
        """A token as GitHub Actions gives it to a job."""
        subject = f"repo:{repository}:ref:{ref}"
        more = {"repository": repository, "ref": ref, "run_id": "1234", "run_attempt": "1", "event_name": "push"}
        return self.token(subject, **more)
