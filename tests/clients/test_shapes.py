"""What compares answers of AWS's APIs with botocore's models (support/shapes.py) sees what is wrong."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from botocore.model import ServiceModel

from support.aws import LOADER
from support.shapes import faults_of, faults_of_xml, unknown_in_json

IAM = ServiceModel(LOADER.load_service_model("iam", "service-2"))
ECR = ServiceModel(LOADER.load_service_model("ecr", "service-2"))
USER = {
    "Path": "/",
    "UserName": "alice",
    "UserId": "AIDA" + 17 * "A",
    "Arn": "arn:aws:iam::000000000000:user/alice",
    "CreateDate": datetime.now(UTC),
}
GOOD = {"Users": [USER], "IsTruncated": False}


def users_with(**changed):
    return GOOD | {"Users": [USER | changed]}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (GOOD | {"Odd": 1}, ".Odd is unknown"),
        ({}, ".Users is required"),
        ({"Users": [{k: v for k, v in USER.items() if k != "Arn"}]}, ".Users[0].Arn is required"),
        (GOOD | {"IsTruncated": "no"}, "is no boolean"),
        (GOOD | {"Users": USER}, "is no list"),
        (users_with(UserName=65 * "a"), "65 is not within 1 and 64"),
        (users_with(UserName="a b"), "is not like"),
        (users_with(CreateDate="2026"), "is no timestamp"),
        (users_with(PermissionsBoundary={"PermissionsBoundaryType": "x"}), "is none of"),
    ],
)
def test_parsed_answers(answer, words):
    shape = IAM.operation_model("ListUsers").output_shape
    assert faults_of(GOOD, shape) == []
    (fault,) = faults_of(answer, shape)
    assert words in fault


@pytest.mark.parametrize(
    ("operation", "answer", "faults"),
    [
        ("ListImages", {"imageIds": []}, 0),
        ("ListImages", {"imageIds": [{"imageTag": "v1"}] * 1000}, 0),
        ("ListImages", {"imageIds": [{"imageTag": ""}]}, 1),
        ("DescribeRepositories", {"repositories": [{"imageTagMutabilityExclusionFilters": []}]}, 1),
    ],
)
def test_sizes_of_lists(operation, answer, faults):
    assert len(faults_of(answer, ECR.operation_model(operation).output_shape)) == faults


@pytest.mark.parametrize(
    ("operation", "xml", "words"),
    [
        ("ListUsers", "<Users><member><Path>/</Path></member></Users><IsTruncated>true</IsTruncated>", None),
        ("ListUsers", "<Users/><Odd/>", ".Odd is unknown"),
        ("ListUsers", "<Users><member><Odd/></member></Users>", ".Users[0].Odd is unknown"),
        ("ListUsers", "<Users><User/></Users>", "<User> in a list of <member>"),
        ("ListUsers", "<Marker>a</Marker><Marker>a</Marker>", ".Marker is there twice"),
        ("ListUsers", "<IsTruncated>True</IsTruncated>", "is no boolean"),
        ("ListUsers", "<Marker><b/></Marker>", "elements in a string"),
        ("ListUsers", "words", "text 'words' in a structure"),
        ("ListUsers", "<Users><member><CreateDate>1</CreateDate></member></Users>", "is no timestamp"),
        ("GetAccountSummary", "<SummaryMap><entry><key>Users</key><value>1</value></entry></SummaryMap>", None),
        ("GetAccountSummary", "<SummaryMap><entry><key>Users</key><value>x</value></entry></SummaryMap>", "no integer"),
        ("GetAccountSummary", "<SummaryMap><Users>1</Users></SummaryMap>", "no entry of a map"),
    ],
)
def test_xml(operation, xml, words):
    faults = faults_of_xml(ElementTree.fromstring(f"<r>{xml}</r>"), IAM.operation_model(operation).output_shape)
    if words is None:
        assert faults == []
    else:
        (fault,) = faults
        assert words in fault


def test_json():
    shape = IAM.operation_model("ListUsers").output_shape
    assert unknown_in_json(GOOD, shape) == []
    assert unknown_in_json(users_with(Odd=1) | {"Even": 2}, shape) == [".Even is unknown", ".Users[0].Odd is unknown"]
