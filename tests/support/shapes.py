"""Answers against botocore's models: what AWS's own SDK says that an operation answers.

`faults_of_xml` and `unknown_in_json` walk what came, so that members show that the model does not have: a parser drops
them. `faults_of` walks what botocore parsed. Each gives a list of what is wrong, with its place; an empty one is good.
"""

import re
from datetime import datetime

# What a scalar of the model is after parsing.
PARSED = {
    "string": str,
    "character": str,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": bool,
    "timestamp": datetime,
    "blob": bytes,
}
# What it is in the XML of the Query protocol.
RAW = {
    "integer": r"-?\d+",
    "long": r"-?\d+",
    "boolean": "true|false",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z",
}
# Lists that requests share with answers, and whose size in the model is that in requests: an answer of ECR has no image, or
# a thousand.
SIZED_IN_REQUESTS = {"ImageIdentifierList"}


def faults_of(value, shape, place=""):
    """What is wrong with a parsed answer, by the shape of the operation's output."""
    if shape.type_name == "structure":
        return _structure(value, shape, place)
    if shape.type_name == "list":
        if not isinstance(value, list):
            return [f"{place}: {value!r} is no list"]
        inner = [fault for n, item in enumerate(value) for fault in faults_of(item, shape.member, f"{place}[{n}]")]
        return inner if shape.name in SIZED_IN_REQUESTS else inner + _size(len(value), shape, place)
    if shape.type_name == "map":
        if not isinstance(value, dict):
            return [f"{place}: {value!r} is no map"]
        pairs = [(key, shape.key, f"{place} key") for key in value]
        pairs += [(item, shape.value, f"{place}[{key}]") for key, item in value.items()]
        return [fault for pair in pairs for fault in faults_of(*pair)]
    return _scalar(value, shape, place)


def _structure(value, shape, place):
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no structure"]
    faults = [f"{place}.{name} is required and missing" for name in shape.required_members if name not in value]
    for name, member in value.items():
        if name in shape.members:
            faults += faults_of(member, shape.members[name], f"{place}.{name}")
        else:
            faults.append(f"{place}.{name} is unknown")
    return faults


def _scalar(value, shape, place):
    wanted = PARSED[shape.type_name]
    # True is an int to Python, not to a model.
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return [f"{place}: {value!r} is no {shape.type_name}"]
    faults = []
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        faults.append(f"{place}: {value!r} is none of {enum}")
    if isinstance(value, str):
        faults += _size(len(value), shape, place) + _pattern(value, shape, place)
    elif wanted is int:
        faults += _size(value, shape, place)
    return faults


def _size(size, shape, place):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        return [f"{place}: {size} is not within {least} and {most}"]
    return []


def _pattern(value, shape, place):
    pattern = shape.metadata.get("pattern")
    try:
        unlike = pattern and not re.fullmatch(pattern, value, re.DOTALL)
    except re.error:
        return []  # Java's way of writing one, which Python does not read
    return [f"{place}: {value!r} is not like {pattern}"] if unlike else []


def faults_of_xml(element, shape, place=""):
    """What is wrong with the XML of a result, an `xml.etree` element, by the shape of the operation's output."""
    kind = shape.type_name
    if kind == "structure":
        return _structure_of_xml(element, shape, place)
    if kind == "list":
        names = {local(child) for child in element}
        wanted = shape.member.serialization.get("name", "member")
        odd = [f"{place}: <{name}> in a list of <{wanted}>" for name in sorted(names - {wanted})]
        items = [(child, shape.member, f"{place}[{n}]") for n, child in enumerate(element)]
        return odd + [fault for item in items for fault in faults_of_xml(*item)]
    if kind == "map":
        faults = []
        for entry in element:
            if local(entry) != "entry" or [local(child) for child in entry] != ["key", "value"]:
                return [f"{place}: <{local(entry)}> is no entry of a map"]
            faults += faults_of_xml(entry[1], shape.value, f"{place}[{entry[0].text}]")
        return faults
    if len(element):
        return [f"{place}: elements in a {kind}"]
    if not re.fullmatch(RAW.get(kind, ".*"), element.text or "", re.DOTALL):
        return [f"{place}: {element.text!r} is no {kind}"]
    return []


def _structure_of_xml(element, shape, place):
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    faults, seen = [], set()
    if (element.text or "").strip():
        faults.append(f"{place}: text {element.text!r} in a structure")
    for child in element:
        name = local(child)
        if name not in members:
            faults.append(f"{place}.{name} is unknown")
        elif name in seen:
            faults.append(f"{place}.{name} is there twice")
        else:
            faults += faults_of_xml(child, members[name], f"{place}.{name}")
        seen.add(name)
    return faults


def unknown_in_json(value, shape, place=""):
    """The members of a JSON answer that the shape of the operation's output does not have."""
    if shape.type_name == "list":
        return [fault for n, item in enumerate(value) for fault in unknown_in_json(item, shape.member, f"{place}[{n}]")]
    if shape.type_name != "structure":
        return []
    faults = [f"{place}.{name} is unknown" for name in value if name not in shape.members]
    known = [(item, shape.members[name], f"{place}.{name}") for name, item in value.items() if name in shape.members]
    return faults + [fault for member in known for fault in unknown_in_json(*member)]


def local(element):
    """The name of an element without its namespace."""
    return element.tag.rsplit("}", 1)[-1]
