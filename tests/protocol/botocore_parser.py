"""Lets botocore write requests and read answers, for crates/aws/tests/protocol_botocore.rs.

Each line of the input is a question in JSON, each line of the output its answer:

    {"do": "serialize", "service": "iam", "operation": "GetUser", "input": {...}}       {"body": "...", "target": null}
    {"do": "parse", "service": "iam", "operation": "GetUser", "status": 200, "body": "..."}
        {"result": {...}, "request_id": "..."} or {"error": {"Code": "...", "Message": "..."}}

In inputs and results, times are counts of milliseconds and bytes are base64. All is read before anything is answered.
"""

import base64
import datetime
import json
import sys

import botocore.awsrequest
import botocore.parsers
import botocore.serialize
import botocore.session

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MILLISECOND = datetime.timedelta(milliseconds=1)


def walk(shape, value, leaves):
    """Rebuilds a value, with its leaves changed by the function for their type, where there is one."""
    if shape.type_name == "structure":
        return {name: walk(shape.members[name], below, leaves) for name, below in value.items()}
    if shape.type_name == "list":
        return [walk(shape.member, below, leaves) for below in value]
    if shape.type_name == "map":
        return {key: walk(shape.value, below, leaves) for key, below in value.items()}
    return leaves.get(shape.type_name, lambda leaf: leaf)(value)


TO_BOTOCORE = {"timestamp": lambda ms: EPOCH + ms * MILLISECOND, "blob": base64.b64decode}
FROM_BOTOCORE = {
    "timestamp": lambda time: (time - EPOCH) // MILLISECOND,
    "blob": lambda data: base64.b64encode(data).decode(),
}


def serialize(service, operation, question):
    serializer = botocore.serialize.create_serializer(service.metadata["protocol"])
    value = question["input"]
    if operation.input_shape is not None:
        value = walk(operation.input_shape, value, TO_BOTOCORE)
    request = serializer.serialize_to_request(value, operation)
    request = botocore.awsrequest.AWSRequest(
        method=request["method"], url="http://localhost/", headers=request["headers"], data=request["body"]
    )
    body = request.prepare().body
    return {
        "body": body.decode() if isinstance(body, bytes) else body,
        "target": request.headers.get("X-Amz-Target"),
    }


def parse(service, operation, question):
    parser = botocore.parsers.create_parser(service.metadata["protocol"])
    response = {"status_code": question["status"], "headers": {}, "body": question["body"].encode()}
    parsed = parser.parse(response, operation.output_shape)
    metadata = parsed.pop("ResponseMetadata")
    if "Error" in parsed:
        return {"error": parsed["Error"]}
    if operation.output_shape is not None:
        parsed = walk(operation.output_shape, parsed, FROM_BOTOCORE)
    return {"result": parsed, "request_id": metadata.get("RequestId")}


def main():
    session = botocore.session.get_session()
    models = {}
    answers = []
    for line in sys.stdin.buffer.read().split(b"\n"):
        question = json.loads(line)
        name = question["service"]
        if name not in models:
            models[name] = session.get_service_model(name)
        service = models[name]
        operation = service.operation_model(question["operation"])
        answers.append({"serialize": serialize, "parse": parse}[question["do"]](service, operation, question))
    print("\n".join(json.dumps(answer) for answer in answers))


if __name__ == "__main__":
    main()
