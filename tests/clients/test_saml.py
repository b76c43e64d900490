"""People who come in by SAML, by boto3, the aws command line and crane. The identity provider signs with signxml."""

import base64
import json
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, XMLSigner, methods
from signxml.algorithms import CanonicalizationMethod

from clients.test_crane import single_image
from support.aws import Key, allow, refused

pytestmark = pytest.mark.needs_berth

ENTITY = "https://idp.example/metadata"
ENDPOINT = "https://signin.aws.amazon.com/saml"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"

METADATA = """<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}">
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>
      <X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/sso"/>
  </IDPSSODescriptor>
</EntityDescriptor>"""

RESPONSE = """<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
    ID="{response}" Version="2.0" IssueInstant="{now}" Destination="{endpoint}"><saml:Issuer>{entity}</saml:Issuer>
  <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
  <saml:Assertion ID="{assertion}" Version="2.0" IssueInstant="{now}"><saml:Issuer>{entity}</saml:Issuer>
    <saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>
      <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <saml:SubjectConfirmationData Recipient="{endpoint}" NotOnOrAfter="{end}"/></saml:SubjectConfirmation></saml:Subject>
    <saml:Conditions NotBefore="{now}" NotOnOrAfter="{end}"><saml:AudienceRestriction>
      <saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>
    <saml:AuthnStatement AuthnInstant="{now}"><saml:AuthnContext/></saml:AuthnStatement>
    <saml:AttributeStatement>
      <saml:Attribute Name="{attributes}Role"><saml:AttributeValue>{role},{provider}</saml:AttributeValue></saml:Attribute>
      <saml:Attribute Name="{attributes}RoleSessionName"><saml:AttributeValue>{subject}</saml:AttributeValue></saml:Attribute>
    </saml:AttributeStatement>
  </saml:Assertion>
</samlp:Response>"""


class IdentityProvider:
    """Signs responses with an RSA key."""

    def __init__(self, certificates):
        self.key = certificates.key.read_bytes()
        self.certificate = certificates.certificate.read_text()

    def metadata(self):
        body = "".join(self.certificate.split("-----")[2].split())
        return METADATA.format(entity=ENTITY, certificate=body)

    def respond(self, subject, role, provider):
        now = datetime.now(UTC)
        text = RESPONSE.format(
            response=f"_{uuid.uuid4().hex}", assertion=f"_{uuid.uuid4().hex}", entity=ENTITY, endpoint=ENDPOINT, subject=subject,
            role=role, provider=provider, attributes=ATTRIBUTES, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            end=(now + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        root = etree.fromstring(text)
        signer = XMLSigner(methods.enveloped, SignatureMethod.RSA_SHA256, DigestAlgorithm.SHA256,
                           CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        signed = signer.sign(root, key=self.key, cert=self.certificate, reference_uri=root.get("ID"), id_attribute="ID")
        return base64.b64encode(etree.tostring(signed)).decode()


@pytest.fixture
def provider(scratch):
    """An identity provider with an RSA key of its own."""
    files = SimpleNamespace(key=scratch / f"idp-{uuid.uuid4().hex}.key", certificate=scratch / f"idp-{uuid.uuid4().hex}.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", files.key, "-out", files.certificate,
                    "-days", "2", "-subj", "/CN=idp.example"], check=True, capture_output=True)
    return IdentityProvider(files)


@pytest.fixture
def trusted(shared_aws, provider):
    """A role that trusts the provider, and may push."""
    aws, name = shared_aws, f"saml-{uuid.uuid4().hex[:8]}"
    iam = aws.client("iam", aws.administrator)
    arn = iam.create_saml_provider(Name=name, SAMLMetadataDocument=provider.metadata())["SAMLProviderArn"]
    statement = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithSAML",
                 "Condition": {"StringEquals": {"saml:aud": ENDPOINT}}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="push", PolicyDocument=allow("ecr:*"))
    aws.settle()
    yield role, arn
    iam.delete_role_policy(RoleName=name, PolicyName="push")
    iam.delete_role(RoleName=name)
    iam.delete_saml_provider(SAMLProviderArn=arn)


def test_a_response_of_another_implementation_opens_once(shared_aws, provider, trusted):
    role, arn = trusted
    sts = shared_aws.client("sts", Key("AKIAIOSFODNN7EXAMPLE", "unused"))
    response = provider.respond("alice", role, arn)
    answer = sts.assume_role_with_saml(RoleArn=role, PrincipalArn=arn, SAMLAssertion=response)
    assert (answer["Subject"], answer["SubjectType"], answer["Issuer"]) == ("alice", "persistent", ENTITY)
    assert answer["Audience"] == ENDPOINT
    session = shared_aws.client("sts", Key.made(answer)).get_caller_identity()
    assert session["Arn"].endswith("/alice")
    with refused("InvalidIdentityToken"):
        sts.assume_role_with_saml(RoleArn=role, PrincipalArn=arn, SAMLAssertion=response)


def test_crane_pushes_with_what_the_response_gave(shared_aws, provider, trusted, home, one):
    role, arn = trusted
    sts = shared_aws.client("sts", Key("AKIAIOSFODNN7EXAMPLE", "unused"))
    answer = sts.assume_role_with_saml(RoleArn=role, PrincipalArn=arn, SAMLAssertion=provider.respond("alice", role, arn))
    login = shared_aws.login(Key.made(answer))
    layout, digest = one
    home.run("crane", "auth", "login", login.host, "-u", login.user, "--password-stdin", input=login.password)
    home.run("crane", "push", single_image(home, layout, digest), f"{login.host}/saml/{uuid.uuid4().hex[:8]}:1")


def test_the_command_line_takes_a_response(shared_aws, provider, trusted, registry, home):
    role, arn = trusted
    path = home.path / "response.b64"
    path.write_text(provider.respond("bob", role, arn))
    run = home.run("aws", "sts", "assume-role-with-saml", "--endpoint-url", registry.url, "--region", "us-east-1", "--role-arn", role,
                   "--principal-arn", arn, "--saml-assertion", f"file://{path}", "--output", "json")
    assert json.loads(run.stdout)["Subject"] == "bob"
