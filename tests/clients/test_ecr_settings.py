"""ECR by boto3: what is set for the registry and for repositories: policies, rules, templates, tags."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from support.aws import ACCOUNT, REGION, refused
from support.ecr import arn, fresh, lifecycle, policy, replication, scanning, signing

pytestmark = pytest.mark.needs_berth

COVERED = {
    "BatchGetRepositoryScanningConfiguration",
    "CreatePullThroughCacheRule",
    "CreateRepositoryCreationTemplate",
    "DeleteLifecyclePolicy",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepositoryCreationTemplate",
    "DeleteRepositoryPolicy",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetLifecyclePolicy",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetRepositoryPolicy",
    "GetSigningConfiguration",
    "ListPullTimeUpdateExclusions",
    "ListTagsForResource",
    "PutAccountSetting",
    "PutImageScanningConfiguration",
    "PutLifecyclePolicy",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "SetRepositoryPolicy",
    "TagResource",
    "UntagResource",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/for-ecr"


def body(answer):
    """An answer without what every one has."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_authorization_tokens(ecr):
    (data,) = ecr.client.get_authorization_token()["authorizationData"]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    assert user == "AWS" and password
    assert data["proxyEndpoint"] == ecr.registry.url
    assert timedelta(hours=11) < data["expiresAt"] - datetime.now(UTC) < timedelta(hours=13)
    of_registries = ecr.client.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"]
    assert [entry["proxyEndpoint"] for entry in of_registries] == [ecr.registry.url]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("BASIC_SCAN_TYPE_VERSION", ["AWS_NATIVE"]),
        ("REGISTRY_POLICY_SCOPE", ["V2"]),
        ("BLOB_MOUNTING", ["DISABLED", "ENABLED"]),
    ],
)
def test_account_settings(ecr, name, values):
    before = ecr.client.get_account_setting(name=name)["value"]
    for value in [*values, before]:
        assert body(ecr.client.put_account_setting(name=name, value=value)) == {"name": name, "value": value}
        assert body(ecr.client.get_account_setting(name=name)) == {"name": name, "value": value}


def test_pull_time_update_exclusions(ecr):
    arns = [f"arn:aws:iam::{ACCOUNT}:role/path/{fresh('r')}", f"arn:aws:iam::{ACCOUNT}:user/{fresh('u')}"]
    for principal in arns:
        answer = ecr.client.register_pull_time_update_exclusion(principalArn=principal)
        assert answer["principalArn"] == principal and answer["createdAt"]
    listed = ecr.client.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]
    assert set(arns) <= set(listed)
    with refused("ExclusionAlreadyExistsException", arns[0]):
        ecr.client.register_pull_time_update_exclusion(principalArn=arns[0])
    for principal in arns:
        assert ecr.client.deregister_pull_time_update_exclusion(principalArn=principal)["principalArn"] == principal
    assert not set(arns) & set(ecr.client.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"])


def templates(ecr, *prefixes):
    answer = ecr.client.describe_repository_creation_templates(**({"prefixes": list(prefixes)} if prefixes else {}))
    assert answer["registryId"] == ACCOUNT
    return answer["repositoryCreationTemplates"]


def test_a_template(ecr):
    given = {
        "prefix": fresh("template/a"),
        "description": "for new ones",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [{"Key": "team", "Value": "blue"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest"}],
        "repositoryPolicy": policy("ecr:BatchGetImage"),
        "lifecyclePolicy": lifecycle(),
        "appliedFor": ["REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH"],
        "customRoleArn": ROLE,
    }
    answer = ecr.client.create_repository_creation_template(**given)
    made = answer["repositoryCreationTemplate"]
    assert answer["registryId"] == ACCOUNT
    assert made["createdAt"] and made["updatedAt"] == made["createdAt"]
    made["appliedFor"].sort(key=given["appliedFor"].index)
    assert {name: made[name] for name in given} == given
    (found,) = templates(ecr, given["prefix"])
    found["appliedFor"].sort(key=given["appliedFor"].index)
    assert found == made
    changed = {"description": "other", "imageTagMutability": "MUTABLE", "appliedFor": ["CREATE_ON_PUSH"]}
    ecr.client.update_repository_creation_template(prefix=given["prefix"], **changed)
    (found,) = templates(ecr, given["prefix"])
    kept = ("resourceTags", "repositoryPolicy", "lifecyclePolicy", "customRoleArn", "createdAt")
    assert {name: found[name] for name in changed} == changed
    assert {name: found[name] for name in kept} == {name: made[name] for name in kept}, "what is not named stays"
    assert found["updatedAt"] >= made["updatedAt"]
    gone = ecr.client.delete_repository_creation_template(prefix=given["prefix"])["repositoryCreationTemplate"]
    assert gone["description"] == "other"
    assert templates(ecr, given["prefix"]) == []


def test_the_least_of_a_template(ecr):
    """The one of all that has no other."""
    ecr.client.create_repository_creation_template(prefix="ROOT", appliedFor=["REPLICATION"])
    (found,) = templates(ecr, "ROOT")
    assert found["imageTagMutability"] == "MUTABLE" and found["appliedFor"] == ["REPLICATION"]
    assert found["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert "ROOT" in {template["prefix"] for template in templates(ecr)}
    ecr.client.delete_repository_creation_template(prefix="ROOT")


def test_pull_through_cache_rules(ecr):
    upstreams = {
        "public.ecr.aws": "ecr-public",
        "quay.io": "quay",
        "registry.k8s.io": "k8s",
    }
    for url, upstream in upstreams.items():
        prefix = fresh("cache")
        made = body(ecr.client.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url))
        assert made.pop("createdAt")
        assert made == {
            "ecrRepositoryPrefix": prefix,
            "upstreamRegistryUrl": url,
            "registryId": ACCOUNT,
            "upstreamRegistry": upstream,
            "upstreamRepositoryPrefix": "ROOT",
        }
        asked = {"ecrRepositoryPrefixes": [prefix], "registryId": ACCOUNT}
        (found,) = ecr.client.describe_pull_through_cache_rules(**asked)["pullThroughCacheRules"]
        assert {name: found[name] for name in made} == made
        every = ecr.client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
        assert prefix in {rule["ecrRepositoryPrefix"] for rule in every}
        gone = ecr.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix, registryId=ACCOUNT)
        assert gone["upstreamRegistryUrl"] == url
        with refused("PullThroughCacheRuleNotFoundException", prefix):
            ecr.client.describe_pull_through_cache_rules(**asked)


def test_a_rule_for_a_registry_of_another_account(ecr):
    """It pulls by a role, which is what may be changed."""
    prefix = fresh("cache")
    ecr.client.create_pull_through_cache_rule(
        ecrRepositoryPrefix=prefix,
        upstreamRegistryUrl="111111111111.dkr.ecr.eu-west-1.amazonaws.com",
        upstreamRegistry="ecr",
        customRoleArn=ROLE,
        upstreamRepositoryPrefix="team",
    )
    answer = ecr.client.update_pull_through_cache_rule(ecrRepositoryPrefix=prefix, customRoleArn=ROLE + "-2")
    assert answer["customRoleArn"] == ROLE + "-2" and answer["upstreamRepositoryPrefix"] == "team"
    (found,) = ecr.client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[prefix])["pullThroughCacheRules"]
    assert found["customRoleArn"] == ROLE + "-2" and found["upstreamRegistry"] == "ecr"
    assert found["updatedAt"] == answer["updatedAt"] >= found["createdAt"]
    ecr.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)


def test_replication(ecr):
    def read():
        answer = ecr.client.describe_registry()
        assert answer["registryId"] == ACCOUNT
        return answer["replicationConfiguration"]

    assert read() == {"rules": []}
    given = replication(("eu-west-1", ACCOUNT), (REGION, "111111111111"), prefix="team/")
    given["rules"] += replication(("eu-central-1", ACCOUNT), deleteReplication={"enabled": True})["rules"]
    answer = ecr.client.put_replication_configuration(replicationConfiguration=given)
    assert answer["replicationConfiguration"] == read()
    read_again = read()
    assert read_again["rules"][0].pop("deleteReplication", {"enabled": False}) == {"enabled": False}
    assert read_again == given, "in the order that was given"
    ecr.client.put_replication_configuration(replicationConfiguration={"rules": []})
    assert read() == {"rules": []}


def of_repositories(ecr, *names):
    answer = ecr.client.batch_get_repository_scanning_configuration(repositoryNames=list(names))
    return {found["repositoryName"]: found for found in answer["scanningConfigurations"]}, answer["failures"]


def test_scanning(ecr):
    """The registry's rules, and what comes of them for a repository."""
    first, second = ecr.create("scan-a"), ecr.create("scan-b")
    read = body(ecr.client.get_registry_scanning_configuration())
    assert read == {"registryId": ACCOUNT, "scanningConfiguration": {"scanType": "BASIC", "rules": []}}
    found, failures = of_repositories(ecr, first, second, "never-made")
    assert [failure["repositoryName"] for failure in failures] == ["never-made"]
    assert failures[0]["failureCode"] == "REPOSITORY_NOT_FOUND" and failures[0]["failureReason"]
    assert found[first] == {
        "repositoryArn": arn(first),
        "repositoryName": first,
        "scanOnPush": False,
        "scanFrequency": "MANUAL",
        "appliedScanFilters": [],
    }
    given = {"scanType": "BASIC", "rules": [scanning("scan-a*", "other")]}
    answer = ecr.client.put_registry_scanning_configuration(**given)
    assert answer["registryScanningConfiguration"] == given
    assert ecr.client.get_registry_scanning_configuration()["scanningConfiguration"] == given
    found, _ = of_repositories(ecr, first, second)
    assert found[first]["scanOnPush"] and found[first]["scanFrequency"] == "SCAN_ON_PUSH"
    assert found[first]["appliedScanFilters"] == [{"filter": "scan-a*", "filterType": "WILDCARD"}]
    assert not found[second]["scanOnPush"] and found[second]["appliedScanFilters"] == []
    enhanced = {"scanType": "ENHANCED", "rules": [scanning("*"), scanning("scan-b", frequency="CONTINUOUS_SCAN")]}
    ecr.client.put_registry_scanning_configuration(**enhanced)
    found, _ = of_repositories(ecr, first, second)
    assert [found[name]["scanFrequency"] for name in (first, second)] == ["SCAN_ON_PUSH", "CONTINUOUS_SCAN"]
    ecr.client.put_registry_scanning_configuration(scanType="BASIC", rules=[])
    assert ecr.client.get_registry_scanning_configuration()["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}


def test_scanning_of_a_repository(ecr):
    """What was before the registry had rules, and is accepted still."""
    name = ecr.create("scan")
    for on_push, frequency in [(True, "SCAN_ON_PUSH"), (False, "MANUAL")]:
        configuration = {"scanOnPush": on_push}
        answer = ecr.client.put_image_scanning_configuration(
            repositoryName=name, imageScanningConfiguration=configuration
        )
        told = {"registryId": ACCOUNT, "repositoryName": name, "imageScanningConfiguration": configuration}
        assert body(answer) == told
        (found,) = ecr.client.describe_repositories(repositoryNames=[name])["repositories"]
        assert found["imageScanningConfiguration"] == configuration
        effect, _ = of_repositories(ecr, name)
        assert effect[name]["scanOnPush"] == on_push and effect[name]["scanFrequency"] == frequency


def test_signing(ecr):
    with refused("SigningConfigurationNotFoundException"):
        ecr.client.get_signing_configuration()
    given = signing("release", "team/*", "prod*")
    given["rules"] += signing("every")["rules"]
    answer = ecr.client.put_signing_configuration(signingConfiguration=given)
    assert answer["signingConfiguration"] == given
    told = {"registryId": ACCOUNT, "signingConfiguration": given}
    assert body(ecr.client.get_signing_configuration()) == told
    assert body(ecr.client.delete_signing_configuration()) == told
    with refused("SigningConfigurationNotFoundException"):
        ecr.client.delete_signing_configuration()


def test_the_policy_of_the_registry(ecr):
    with refused("RegistryPolicyNotFoundException"):
        ecr.client.get_registry_policy()
    principal = {"AWS": "arn:aws:iam::111111111111:root"}
    given = policy("ecr:ReplicateImage", "ecr:CreateRepository", principal=principal, Resource=[arn("*")])
    answers = [
        ecr.client.put_registry_policy(policyText=given),
        ecr.client.get_registry_policy(),
        ecr.client.delete_registry_policy(),
    ]
    for answer in answers:
        assert answer["registryId"] == ACCOUNT and json.loads(answer["policyText"]) == json.loads(given)
    with refused("RegistryPolicyNotFoundException"):
        ecr.client.delete_registry_policy()


def test_the_policy_of_a_repository(ecr):
    name = ecr.create("policy")
    with refused("RepositoryPolicyNotFoundException", name):
        ecr.client.get_repository_policy(repositoryName=name)
    first, second = policy("ecr:BatchGetImage"), policy("ecr:ListImages", principal={"AWS": ACCOUNT})
    for text in (first, second):
        ecr.client.set_repository_policy(repositoryName=name, policyText=text)
    answers = [
        ecr.client.set_repository_policy(repositoryName=name, policyText=second, registryId=ACCOUNT),
        ecr.client.get_repository_policy(repositoryName=name, registryId=ACCOUNT),
        ecr.client.delete_repository_policy(repositoryName=name, registryId=ACCOUNT),
    ]
    for answer in answers:
        assert (answer["registryId"], answer["repositoryName"]) == (ACCOUNT, name)
        text = json.loads(answer["policyText"])
        assert text["Statement"][0]["Action"] in ("ecr:ListImages", ["ecr:ListImages"])
    with refused("RepositoryPolicyNotFoundException"):
        ecr.client.delete_repository_policy(repositoryName=name)


def test_nobody_is_locked_out_unawares(ecr):
    name = ecr.create("policy")
    deny = policy("ecr:SetRepositoryPolicy", effect="Deny")
    with refused("InvalidParameterException", "force"):
        ecr.client.set_repository_policy(repositoryName=name, policyText=deny)
    ecr.client.set_repository_policy(repositoryName=name, policyText=deny, force=True)
    assert json.loads(ecr.client.get_repository_policy(repositoryName=name)["policyText"]) == json.loads(deny)
    ecr.client.delete_repository_policy(repositoryName=name)


def test_a_lifecycle_policy(ecr):
    """The text stays as it was written."""
    name = ecr.create("lifecycle")
    with refused("LifecyclePolicyNotFoundException", name):
        ecr.client.get_lifecycle_policy(repositoryName=name)
    for text in (lifecycle(7), json.dumps(json.loads(lifecycle(30)), indent=2)):
        put = body(ecr.client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text))
        assert put == {"registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text}
        got = ecr.client.get_lifecycle_policy(repositoryName=name, registryId=ACCOUNT)
        assert {member: got[member] for member in put} == put
    gone = ecr.client.delete_lifecycle_policy(repositoryName=name)
    assert {member: gone[member] for member in put} == put
    with refused("LifecyclePolicyNotFoundException"):
        ecr.client.delete_lifecycle_policy(repositoryName=name)


def test_settings_go_with_their_repository(ecr):
    name = ecr.create("settings", tags=[{"Key": "team", "Value": "blue"}])
    ecr.client.set_repository_policy(repositoryName=name, policyText=policy("ecr:BatchGetImage"))
    ecr.client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=lifecycle())
    ecr.client.delete_repository(repositoryName=name)
    ecr.client.create_repository(repositoryName=name)
    with refused("RepositoryPolicyNotFoundException"):
        ecr.client.get_repository_policy(repositoryName=name)
    with refused("LifecyclePolicyNotFoundException"):
        ecr.client.get_lifecycle_policy(repositoryName=name)
    assert ecr.client.list_tags_for_resource(resourceArn=arn(name))["tags"] == []


def test_tags(ecr):
    name = ecr.create("tagged", tags=[{"Key": "team", "Value": "blue"}])

    def tags():
        listed = ecr.client.list_tags_for_resource(resourceArn=arn(name))["tags"]
        return {tag["Key"]: tag["Value"] for tag in listed}

    assert tags() == {"team": "blue"}
    new = [{"Key": "team", "Value": "ré d"}, {"Key": "Team", "Value": ""}, {"Key": "k" * 128, "Value": "v" * 256}]
    assert body(ecr.client.tag_resource(resourceArn=arn(name), tags=new)) == {}
    assert tags() == {tag["Key"]: tag["Value"] for tag in new}
    assert body(ecr.client.untag_resource(resourceArn=arn(name), tagKeys=["Team", "never", "k" * 128])) == {}
    assert tags() == {"team": "ré d"}


def test_its_operations_were_called(ecr_aws):
    """By the tests above: it means something when all of them ran."""
    assert not COVERED - {operation for _, operation in ecr_aws.called}
