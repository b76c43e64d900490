"""AWS's SDK for Python against a server, every answer of which is checked against botocore's models; and what a registry is
given by it: accounts, users, keys."""

import base64
import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import boto3
import botocore.session
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from support import issued
from support.server import Registry, wait_until
from support.shapes import faults_of, faults_of_xml, local, unknown_in_json

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
ACCOUNT = "000000000000"
IAM_VERSION = "2010-05-08"
MANAGED = "arn:aws:iam::aws:policy/"
# The namespaces that the services' XML has had since they are there.
NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
# Loading IAM's model takes long: once for all clients.
LOADER = botocore.session.get_session().get_component("data_loader")


@dataclass(frozen=True)
class Key:
    """What requests are signed with. `token` is that of temporary credentials."""

    id: str
    secret: str
    token: str | None = None

    @classmethod
    def made(cls, answer):
        """Of an answer of CreateAccessKey, AssumeRole or GetSessionToken."""
        found = answer.get("AccessKey") or answer["Credentials"]
        return cls(found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken"))


class Aws:
    """A server as AWS: clients for it, whose answers are checked. `called` are the operations that were answered with success."""

    def __init__(self, registry, nodes=1):
        self.registry = registry
        self.nodes = nodes
        self.called = set()
        self.administrator = Key(registry.user, registry.password)

    def client(self, service, key=None, region=REGION, endpoint=None, **config):
        """boto3's client, unmodified. It does not try again: what goes wrong once shows."""
        key = key or self.administrator
        core = botocore.session.get_session()
        core.register_component("data_loader", LOADER)
        # Neither this machine's files nor its environment.
        core.set_config_variable("config_file", "/dev/null")
        core.set_config_variable("credentials_file", "/dev/null")
        client = boto3.Session(botocore_session=core).client(
            service,
            region_name=region,
            endpoint_url=endpoint or self.registry.url,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=key.token,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
        )
        client.meta.events.register("response-received", Check(self, service, client))
        return client

    def own(self, action, key=None, **parameters):
        """One of Berth's own operations at the endpoint of IAM; the status and the XML."""
        key = key or self.administrator
        form = {"Action": action, "Version": IAM_VERSION, **parameters}
        request = AWSRequest("POST", self.registry.url + "/", data=form)
        SigV4Auth(Credentials(key.id, key.secret, key.token), "iam", REGION).add_auth(request)
        ready = request.prepare()
        session = requests.Session()
        session.trust_env = False
        response = session.post(ready.url, data=ready.body, headers=dict(ready.headers), timeout=60)
        return response.status_code, ElementTree.fromstring(response.content)

    def create_account(self, account=None):
        """A new account; its id, and the key of its administrator."""
        account = account or f"{uuid.uuid4().int % 10**11:012d}"
        status, answer = self.own("CreateAccount", AccountId=account)
        assert status == 200, ElementTree.tostring(answer)
        texts = {local(element): element.text for element in answer.iter()}
        return account, Key(texts["AccessKeyId"], texts["SecretAccessKey"])

    def account(self):
        """A new account."""
        return Account(self, *self.create_account())

    def own_account(self):
        """The account that the registry belongs to."""
        return Account(self, ACCOUNT, self.administrator)

    def settle(self):
        """To be called between a change of rights and what relies on it: several nodes hear of it a second later.

        A node that knows a key made after the change knows the change. Requests go to the nodes in turns, so it is known
        everywhere when as many answers in a row say so as there are nodes, and once again as many for safety.
        """
        if self.nodes == 1:
            return
        account, key = self.create_account()
        wait_until("all nodes to know a new key", lambda: all(self.knows(key) for _ in range(2 * self.nodes)))
        assert self.own("DeleteAccount", AccountId=account)[0] == 200

    def knows(self, key):
        return self.own("GetUser", key)[0] == 200

    def login(self, key):
        """The registry to somebody with an authorization token."""
        data = self.client("ecr", key).get_authorization_token()["authorizationData"]
        user, password = base64.b64decode(data[0]["authorizationToken"]).decode().split(":", 1)
        issued.note(password)
        return Registry(self.registry.url, user, password, self.registry.ca)

    def login_by_key(self, key):
        """The registry to somebody with an access key."""
        return Registry(self.registry.url, key.id, key.secret, self.registry.ca)


class Account:
    """An account and whoever administers it."""

    def __init__(self, aws, id, key):
        self.aws, self.id, self.key = aws, id, key
        self.iam = aws.client("iam", key)

    def arn(self, kind, name):
        return f"arn:aws:iam::{self.id}:{kind}/{name}"

    def make(self, kind, name, **more):
        """Makes a user, group, role or policy; its part of the answer."""
        if kind == "role":
            more.setdefault("AssumeRolePolicyDocument", trust(self.id))
        if kind == "policy":
            more.setdefault("PolicyDocument", allow("ecr:BatchGetImage"))
        kind = kind.capitalize()
        return getattr(self.iam, f"create_{kind.lower()}")(**{f"{kind}Name": name}, **more)[kind]

    def user(self, name, *managed, policy=None):
        """Makes a user with policies that come with Berth and one of its own, and gives its key."""
        self.iam.create_user(UserName=name)
        for known in managed:
            self.iam.attach_user_policy(UserName=name, PolicyArn=MANAGED + known)
        if policy:
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = Key.made(self.iam.create_access_key(UserName=name))
        self.aws.settle()
        return key


class Check:
    """Called by botocore for each answer: compares it with the operation's model, and notes that it was one."""

    def __init__(self, aws, service, client):
        self.aws, self.service, self.model = aws, service, client.meta.service_model

    def __call__(self, response_dict, parsed_response, event_name, **_):
        if response_dict is None:
            return  # there was no answer, which botocore raises by itself
        operation = self.model.operation_model(event_name.rsplit(".", 1)[-1])
        issued.note_answer(parsed_response)
        if response_dict["status_code"] >= 300:
            self.check_error(response_dict, parsed_response)
            return
        shape = operation.output_shape
        faults = self.raw_faults(operation, response_dict)
        if shape is not None:
            faults += faults_of({k: v for k, v in parsed_response.items() if k != "ResponseMetadata"}, shape)
        metadata = parsed_response["ResponseMetadata"]
        assert metadata["RequestId"], metadata
        assert not faults, f"{operation.name}: {faults}\n{response_dict['body']}"
        self.aws.called.add((self.service, operation.name))

    def check_error(self, response_dict, parsed_response):
        error = parsed_response["Error"]
        assert error["Code"] and error["Message"], response_dict
        assert parsed_response["ResponseMetadata"].get("RequestId"), response_dict

    def raw_faults(self, operation, response_dict):
        body, shape = response_dict["body"], operation.output_shape
        if self.service not in NAMESPACES:
            return unknown_in_json(json.loads(body), shape)
        root = ElementTree.fromstring(body)
        parts = [f"{operation.name}Result"] if shape is not None else []
        if [local(child) for child in root] != [*parts, "ResponseMetadata"]:
            return [f"not a result and metadata: {body}"]
        if root.tag != f"{{{NAMESPACES[self.service]}}}{operation.name}Response":
            return [f"the root is {root.tag}"]
        return faults_of_xml(root[0], shape) if shape is not None else []


def served(service):
    """The operations of a service that its list in the source names."""
    lines = (ROOT / f"crates/aws/src/{service}/operations.txt").read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


@contextmanager
def refused(code, words=""):
    """Asserts that a call in the block is refused with a code, and a message that has these words in it."""
    with pytest.raises(ClientError) as caught:
        yield caught
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert words in error["Message"], error


def allow(*actions, resource="*", effect="Allow", **more):
    """A policy of one statement."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(*arns, action="sts:AssumeRole", **more):
    """A trust policy for principals."""
    statement = {"Effect": "Allow", "Principal": {"AWS": list(arns)}, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
