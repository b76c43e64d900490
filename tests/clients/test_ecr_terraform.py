"""ECR as Terraform's AWS provider uses it: for each of its resources the calls to create, read, update and delete it, in its
order and with its parameters.

A plan is empty when what is read is what was written, so each is read twice; and what is deleted must be found no more. A
`read_...` gives what the provider keeps of a resource, or None where it takes it for gone.
"""

import base64
import json
from datetime import UTC, datetime

import pytest

from support.aws import ACCOUNT, REGION
from support.ecr import arn, fresh, image, lifecycle, policy, replication, scanning, signing

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

ROLE = f"arn:aws:iam::{ACCOUNT}:role/for-ecr"


def read_again(read, *arguments):
    """What is read, which must be the same when it is read once more: nothing to change."""
    first = read(*arguments)
    assert first == read(*arguments)
    return first


def normal(text):
    """JSON as the provider keeps it: without spaces, and with its members in order."""
    return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True)


def read_repository(client, name):
    """By name, and the tags by ARN. It waits for a repository it has just made, and for one it has just deleted."""
    try:
        found = client.describe_repositories(repositoryNames=[name])["repositories"]
    except client.exceptions.RepositoryNotFoundException:
        return None
    (repository,) = found
    assert repository["repositoryName"] == name, "else it is taken for gone"
    tags = client.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    encryption = repository["encryptionConfiguration"]
    return {
        "arn": repository["repositoryArn"],
        "name": repository["repositoryName"],
        "registry_id": repository["registryId"],
        "repository_url": repository["repositoryUri"],
        "image_tag_mutability": repository["imageTagMutability"],
        "image_tag_mutability_exclusion_filter": repository.get("imageTagMutabilityExclusionFilters", []),
        "scan_on_push": repository["imageScanningConfiguration"]["scanOnPush"],
        "encryption": (encryption["encryptionType"], encryption.get("kmsKey", "")),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
    }


def update_tags(client, resource, old, new):
    """First away with those that are to go, then on with what is new or other."""
    if removed := sorted(set(old) - set(new)):
        client.untag_resource(resourceArn=resource, tagKeys=removed)
    if updated := {key: value for key, value in new.items() if old.get(key) != value}:
        client.tag_resource(resourceArn=resource, tags=[{"Key": key, "Value": value} for key, value in updated.items()])


def test_repository(ecr):
    client, name = ecr.client, fresh("terraform/repository")
    tags = {"team": "blue", "tier": "1"}
    client.create_repository(
        repositoryName=name,
        imageTagMutability="MUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
        tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    state = read_again(read_repository, client, name)
    assert state == {
        "arn": arn(name),
        "name": name,
        "registry_id": ACCOUNT,
        "repository_url": ecr.registry.ref(name),
        "image_tag_mutability": "MUTABLE",
        "image_tag_mutability_exclusion_filter": [],
        "scan_on_push": True,
        "encryption": ("AES256", ""),
        "tags": tags,
    }
    filters = [{"filter": "latest*", "filterType": "WILDCARD"}, {"filter": "dev-*", "filterType": "WILDCARD"}]
    named = {"repositoryName": name, "registryId": state["registry_id"]}
    client.put_image_tag_mutability(
        **named, imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters
    )
    client.put_image_scanning_configuration(**named, imageScanningConfiguration={"scanOnPush": False})
    update_tags(client, state["arn"], tags, {"team": "red", "stage": ""})
    assert read_again(read_repository, client, name) == state | {
        "image_tag_mutability": "IMMUTABLE_WITH_EXCLUSION",
        "image_tag_mutability_exclusion_filter": filters,
        "scan_on_push": False,
        "tags": {"team": "red", "stage": ""},
    }
    ecr.put(name, image(), "v1")
    with pytest.raises(client.exceptions.RepositoryNotEmptyException):
        client.delete_repository(**named, force=False)
    client.delete_repository(**named, force=True)
    assert read_repository(client, name) is None


def test_repository_with_what_is_least(ecr):
    """No block of the configuration at all: what is answered in their place must be what the provider takes for it."""
    client, name = ecr.client, fresh("terraform/least")
    client.create_repository(repositoryName=name, imageTagMutability="MUTABLE")
    state = read_again(read_repository, client, name)
    assert state["scan_on_push"] is False and state["encryption"] == ("AES256", "") and state["tags"] == {}
    # A block that is there and is empty.
    client.put_image_scanning_configuration(
        repositoryName=name, registryId=state["registry_id"], imageScanningConfiguration={}
    )
    assert read_again(read_repository, client, name) == state


def read_repository_policy(client, name):
    try:
        found = client.get_repository_policy(repositoryName=name)
    except (
        client.exceptions.RepositoryNotFoundException,
        client.exceptions.RepositoryPolicyNotFoundException,
    ):
        return None
    return found["repositoryName"], found["registryId"], normal(found["policyText"])


def test_repository_policy(ecr):
    client, name = ecr.client, ecr.create("terraform")
    account, role = ecr.aws.own_account(), fresh("terraform")
    principal = {"AWS": account.make("role", role)["Arn"]}
    first, second = policy("ecr:BatchGetImage", "ecr:ListImages"), policy("ecr:*", principal=principal)
    for text in (first, second):
        made = client.set_repository_policy(repositoryName=name, policyText=normal(text))
        assert made["repositoryName"] == name, "its id"
        assert read_again(read_repository_policy, client, name) == (name, ACCOUNT, normal(text))
    # It tries again for two minutes on these words, as the principal may have been made just now.
    with pytest.raises(client.exceptions.InvalidParameterException, match="Invalid repository policy provided"):
        client.set_repository_policy(repositoryName=name, policyText='{"Version":"2012-10-17","Statement":[{}]}')
    client.delete_repository_policy(repositoryName=name, registryId=ACCOUNT)
    assert read_repository_policy(client, name) is None
    with pytest.raises(client.exceptions.RepositoryPolicyNotFoundException):
        client.delete_repository_policy(repositoryName=name, registryId=ACCOUNT)
    client.delete_repository(repositoryName=name)
    assert read_repository_policy(client, name) is None
    account.iam.delete_role(RoleName=role)


def read_lifecycle_policy(client, name):
    """The provider compares what the rules mean, not their text; but it reads them with parsers of its own, to which a
    number is a number."""
    try:
        found = client.get_lifecycle_policy(repositoryName=name)
    except (
        client.exceptions.LifecyclePolicyNotFoundException,
        client.exceptions.RepositoryNotFoundException,
    ):
        return None
    return found["repositoryName"], found["registryId"], found["lifecyclePolicyText"]


def test_lifecycle_policy(ecr):
    client, name = ecr.client, ecr.create("terraform")
    rules = [
        {
            "rulePriority": 1,
            "description": "of branches",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": ["pr-*", "branch-*"],
                "countType": "imageCountMoreThan",
                "countNumber": 10,
            },
            "action": {"type": "expire"},
        },
        *json.loads(lifecycle())["rules"],
    ]
    rules[1]["rulePriority"] = 2
    text = normal(json.dumps({"rules": rules}))
    made = client.put_lifecycle_policy(lifecyclePolicyText=text, repositoryName=name)
    assert (made["repositoryName"], made["registryId"]) == (name, ACCOUNT)
    assert read_again(read_lifecycle_policy, client, name) == (name, ACCOUNT, text)
    # A changed policy is a new resource: the old one goes first.
    client.delete_lifecycle_policy(repositoryName=name)
    assert read_lifecycle_policy(client, name) is None
    client.put_lifecycle_policy(lifecyclePolicyText=normal(lifecycle(30)), repositoryName=name)
    assert read_again(read_lifecycle_policy, client, name)[2] == normal(lifecycle(30))
    client.delete_lifecycle_policy(repositoryName=name)
    with pytest.raises(client.exceptions.LifecyclePolicyNotFoundException):
        client.delete_lifecycle_policy(repositoryName=name)


def read_rule(client, prefix):
    asked = {"ecrRepositoryPrefixes": [prefix]}
    pages = client.get_paginator("describe_pull_through_cache_rules").paginate(**asked)
    try:
        (rule,) = [rule for page in pages for rule in page["pullThroughCacheRules"]]
    except client.exceptions.PullThroughCacheRuleNotFoundException:
        return None
    kept = ["credentialArn", "customRoleArn", "ecrRepositoryPrefix", "registryId"]
    return {name: rule.get(name) for name in [*kept, "upstreamRegistryUrl", "upstreamRepositoryPrefix"]}


def test_pull_through_cache_rule(ecr):
    client, prefix = ecr.client, fresh("terraform")
    url = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
    given = {"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url, "customRoleArn": ROLE}
    client.create_pull_through_cache_rule(**given, upstreamRepositoryPrefix="team")
    state = given | {"credentialArn": None, "registryId": ACCOUNT, "upstreamRepositoryPrefix": "team"}
    assert read_again(read_rule, client, prefix) == state
    client.update_pull_through_cache_rule(ecrRepositoryPrefix=prefix, customRoleArn=ROLE + "-2")
    assert read_again(read_rule, client, prefix) == state | {"customRoleArn": ROLE + "-2"}
    gone = {"ecrRepositoryPrefix": prefix, "registryId": ACCOUNT}
    client.delete_pull_through_cache_rule(**gone)
    assert read_rule(client, prefix) is None
    with pytest.raises(client.exceptions.PullThroughCacheRuleNotFoundException):
        client.delete_pull_through_cache_rule(**gone)


def read_replication(client):
    found = client.describe_registry()
    rules = []
    for rule in found["replicationConfiguration"]["rules"]:
        destinations = [(to["region"], to["registryId"]) for to in rule["destinations"]]
        filters = [(entry["filter"], entry["filterType"]) for entry in rule.get("repositoryFilters", [])]
        rules.append((destinations, filters))
    return found["registryId"], rules


def test_replication_configuration(ecr):
    client = ecr.client
    first = replication(("eu-west-1", ACCOUNT), ("eu-central-1", ACCOUNT), prefix="team/")
    second = replication(("eu-west-1", "111111111111"))
    client.put_replication_configuration(replicationConfiguration=first)
    destinations = [("eu-west-1", ACCOUNT), ("eu-central-1", ACCOUNT)]
    expected = (ACCOUNT, [(destinations, [("team/", "PREFIX_MATCH")])])
    assert read_again(read_replication, client) == expected
    client.put_replication_configuration(replicationConfiguration=second)
    assert read_again(read_replication, client) == (ACCOUNT, [([("eu-west-1", "111111111111")], [])])
    client.put_replication_configuration(replicationConfiguration={"rules": []})
    assert read_again(read_replication, client) == (ACCOUNT, [])


def read_registry_policy(client):
    try:
        found = client.get_registry_policy()
    except client.exceptions.RegistryPolicyNotFoundException:
        return None
    return found["registryId"], normal(found["policyText"])


def test_registry_policy(ecr):
    client, other = ecr.client, {"AWS": "arn:aws:iam::111111111111:root"}
    for actions in (["ecr:ReplicateImage"], ["ecr:ReplicateImage", "ecr:CreateRepository"]):
        text = policy(*actions, principal=other, Resource=[arn("*")])
        assert client.put_registry_policy(policyText=normal(text))["registryId"] == ACCOUNT, "its id"
        assert read_again(read_registry_policy, client) == (ACCOUNT, normal(text))
    client.delete_registry_policy()
    assert read_registry_policy(client) is None
    with pytest.raises(client.exceptions.RegistryPolicyNotFoundException):
        client.delete_registry_policy()


def read_scanning(client):
    """The rules and their filters are sets to the provider."""
    found = client.get_registry_scanning_configuration()
    rules = found["scanningConfiguration"].get("rules", [])
    kept = {
        (rule["scanFrequency"], frozenset((entry["filter"], entry["filterType"]) for entry in rule["repositoryFilters"]))
        for rule in rules
    }
    return found["registryId"], found["scanningConfiguration"]["scanType"], kept


def test_registry_scanning_configuration(ecr):
    client, wild = ecr.client, "WILDCARD"
    rules = [scanning("*"), scanning("prod", "live*", frequency="CONTINUOUS_SCAN")]
    client.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    expected = {
        ("SCAN_ON_PUSH", frozenset({("*", wild)})),
        ("CONTINUOUS_SCAN", frozenset({("prod", wild), ("live*", wild)})),
    }
    assert read_again(read_scanning, client) == (ACCOUNT, "ENHANCED", expected)
    # Without a block for rules it sends none, which takes away those that were.
    client.put_registry_scanning_configuration(scanType="ENHANCED")
    assert read_again(read_scanning, client) == (ACCOUNT, "ENHANCED", set())
    client.put_registry_scanning_configuration(scanType="BASIC", rules=[scanning("team/*")])
    expected = {("SCAN_ON_PUSH", frozenset({("team/*", wild)}))}
    assert read_again(read_scanning, client) == (ACCOUNT, "BASIC", expected)
    # That is how it deletes one.
    client.put_registry_scanning_configuration(rules=[], scanType="BASIC")
    assert read_again(read_scanning, client) == (ACCOUNT, "BASIC", set())


def read_template(client, prefix):
    """One that is not there is an empty list, as the operation has no exception for it."""
    pages = client.get_paginator("describe_repository_creation_templates").paginate(prefixes=[prefix])
    found = [(page["registryId"], template) for page in pages for template in page["repositoryCreationTemplates"]]
    if not found:
        return None
    ((registry, template),) = found
    encryption = template["encryptionConfiguration"]
    lifecycle_text, policy_text = template.get("lifecyclePolicy", ""), template.get("repositoryPolicy", "")
    return {
        "registry_id": registry,
        "prefix": template["prefix"],
        "applied_for": set(template["appliedFor"]),
        "custom_role_arn": template.get("customRoleArn", ""),
        "description": template.get("description", ""),
        "encryption": (encryption["encryptionType"], encryption.get("kmsKey", "")),
        "image_tag_mutability": template["imageTagMutability"],
        "image_tag_mutability_exclusion_filter": template.get("imageTagMutabilityExclusionFilters", []),
        "lifecycle_policy": normal(lifecycle_text) if lifecycle_text else "",
        "repository_policy": normal(policy_text) if policy_text else "",
        "resource_tags": {tag["Key"]: tag["Value"] for tag in template.get("resourceTags", [])},
    }


def test_repository_creation_template(ecr):
    client, prefix = ecr.client, fresh("terraform/template")
    filters = [{"filter": "latest", "filterType": "WILDCARD"}]
    made = client.create_repository_creation_template(
        encryptionConfiguration={"encryptionType": "AES256"},
        imageTagMutability="IMMUTABLE",
        prefix=prefix,
        appliedFor=["PULL_THROUGH_CACHE", "REPLICATION"],
        customRoleArn=ROLE,
        description="of Terraform",
        lifecyclePolicy=normal(lifecycle()),
        repositoryPolicy=normal(policy("ecr:BatchGetImage")),
        resourceTags=[{"Key": "team", "Value": "blue"}],
    )["repositoryCreationTemplate"]
    assert made["prefix"] == prefix, "its id"
    state = read_again(read_template, client, prefix)
    assert state == {
        "registry_id": ACCOUNT,
        "prefix": prefix,
        "applied_for": {"PULL_THROUGH_CACHE", "REPLICATION"},
        "custom_role_arn": ROLE,
        "description": "of Terraform",
        "encryption": ("AES256", ""),
        "image_tag_mutability": "IMMUTABLE",
        "image_tag_mutability_exclusion_filter": [],
        "lifecycle_policy": normal(lifecycle()),
        "repository_policy": normal(policy("ecr:BatchGetImage")),
        "resource_tags": {"team": "blue"},
    }
    # Only what changed is sent.
    client.update_repository_creation_template(prefix=prefix, appliedFor=["CREATE_ON_PUSH"])
    state |= {"applied_for": {"CREATE_ON_PUSH"}}
    assert read_again(read_template, client, prefix) == state
    client.update_repository_creation_template(
        prefix=prefix,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        resourceTags=[{"Key": "team", "Value": "red"}, {"Key": "tier", "Value": ""}],
    )
    state |= {
        "image_tag_mutability": "IMMUTABLE_WITH_EXCLUSION",
        "image_tag_mutability_exclusion_filter": filters,
        "resource_tags": {"team": "red", "tier": ""},
    }
    assert read_again(read_template, client, prefix) == state
    # What was taken out of the configuration is sent as nothing, and is nothing from then on.
    nothing = {"customRoleArn": "", "description": "", "lifecyclePolicy": "", "repositoryPolicy": "", "resourceTags": []}
    client.update_repository_creation_template(prefix=prefix, **nothing)
    state |= {"custom_role_arn": "", "description": "", "lifecycle_policy": "", "repository_policy": ""}
    assert read_again(read_template, client, prefix) == state | {"resource_tags": {}}
    client.delete_repository_creation_template(prefix=prefix)
    assert read_template(client, prefix) is None
    with pytest.raises(client.exceptions.TemplateNotFoundException):
        client.delete_repository_creation_template(prefix=prefix)


def test_account_setting(ecr):
    """There is no way back: to delete one does nothing."""
    client = ecr.client
    for name, value in {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "REGISTRY_POLICY_SCOPE": "V2"}.items():
        client.put_account_setting(name=name, value=value)
        for _ in range(2):
            found = client.get_account_setting(name=name)
            assert (found["name"], found["value"]) == (name, value)


def read_exclusion(client, principal):
    token, found = {}, []
    while True:
        page = client.list_pull_time_update_exclusions(**token)
        found += page["pullTimeUpdateExclusions"]
        if not page.get("nextToken"):
            return principal if principal in found else None
        token = {"nextToken": page["nextToken"]}


def test_pull_time_update_exclusion(ecr):
    client, principal = ecr.client, f"arn:aws:iam::{ACCOUNT}:role/{fresh('terraform')}"
    client.register_pull_time_update_exclusion(principalArn=principal)
    assert read_again(read_exclusion, client, principal) == principal
    client.deregister_pull_time_update_exclusion(principalArn=principal)
    assert read_exclusion(client, principal) is None
    with pytest.raises(client.exceptions.ExclusionNotFoundException):
        client.deregister_pull_time_update_exclusion(principalArn=principal)


def read_signing(client):
    try:
        found = client.get_signing_configuration()
    except client.exceptions.SigningConfigurationNotFoundException:
        return None
    rules = found["signingConfiguration"]["rules"]
    kept = {
        (rule["signingProfileArn"], frozenset(entry["filter"] for entry in rule.get("repositoryFilters", [])))
        for rule in rules
    }
    return found["registryId"], kept


def test_signing_configuration(ecr):
    client, profile = ecr.client, f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/release"
    for filters in (("team/*", "prod*"), ()):
        client.put_signing_configuration(signingConfiguration=signing("release", *filters))
        assert read_again(read_signing, client) == (ACCOUNT, {(profile, frozenset(filters))})
    client.delete_signing_configuration()
    assert read_signing(client) is None


def test_data_of_a_token(ecr):
    """It reads base64 of the kind for URLs, and takes the token for unknown unless there are two parts between colons."""
    for asked in ({}, {"registryIds": [ACCOUNT]}):
        data = ecr.client.get_authorization_token(**asked)["authorizationData"][0]
        token = data["authorizationToken"]
        assert not set("+/") & set(token), "letters that base64 for URLs has not"
        user, password = base64.urlsafe_b64decode(token).decode().split(":")
        assert user == "AWS" and password
        assert data["proxyEndpoint"] == ecr.registry.url and data["expiresAt"] > datetime.now(UTC)


def test_data_of_images(ecr):
    """One image by tag, digest or both, with its repository for the URL; all images page by page."""
    client, name = ecr.client, ecr.create("terraform")
    made, other = image(), image()
    ecr.put(name, other, "v1")
    ecr.put(name, made, "v2")
    ecr.put(name, made, "latest")
    for ids in ({"imageTag": "v2"}, {"imageDigest": made.digest}, {"imageDigest": made.digest, "imageTag": "v2"}):
        pages = client.get_paginator("describe_images").paginate(repositoryName=name, imageIds=[ids])
        (detail,) = [detail for page in pages for detail in page["imageDetails"]]
        asked = {"repositoryNames": [detail["repositoryName"]], "registryId": detail["registryId"]}
        (repository,) = client.describe_repositories(**asked)["repositories"]
        assert f"{repository['repositoryUri']}@{detail['imageDigest']}" == ecr.registry.ref(f"{name}@{made.digest}")
        assert detail["imagePushedAt"] and detail["imageSizeInBytes"] > 0
        assert sorted(detail["imageTags"]) == ["latest", "v2"]
    # The most recent one is that with the latest time among all.
    pages = client.get_paginator("describe_images").paginate(repositoryName=name)
    details = [detail for page in pages for detail in page["imageDetails"]]
    newest = max(details, key=lambda detail: detail["imagePushedAt"])
    assert len(details) == 2 and newest["imagePushedAt"] >= ecr.details(name)[other.digest]["imagePushedAt"]
    pages = client.get_paginator("list_images").paginate(repositoryName=name, registryId=ACCOUNT)
    ids = {(entry["imageDigest"], entry.get("imageTag")) for page in pages for entry in page["imageIds"]}
    assert ids == {(other.digest, "v1"), (made.digest, "v2"), (made.digest, "latest")}
    with pytest.raises(client.exceptions.ImageNotFoundException):
        client.describe_images(repositoryName=name, imageIds=[{"imageTag": "never"}])


def test_data_of_repositories(ecr):
    """One with its tags and those of its newest image; the names of all."""
    client = ecr.client
    name = ecr.create("terraform", tags=[{"Key": "team", "Value": "blue"}])
    ecr.put(name, image(), "v1")
    assert read_again(read_repository, client, name)["tags"] == {"team": "blue"}
    found = client.describe_repositories(repositoryNames=[name], registryId=ACCOUNT)["repositories"]
    assert [repository["repositoryName"] for repository in found] == [name]
    pages = client.get_paginator("describe_images").paginate(
        repositoryName=name, registryId=ACCOUNT, filter={"tagStatus": "TAGGED"}
    )
    assert [detail["imageTags"] for page in pages for detail in page["imageDetails"]] == [["v1"]]
    pages = client.get_paginator("describe_repositories").paginate()
    assert name in {repository["repositoryName"] for page in pages for repository in page["repositories"]}
