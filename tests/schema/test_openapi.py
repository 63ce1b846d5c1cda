"""The OpenAPI document is whole and says what the types say."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from schema import events
from schema.events import Batch, Content, Event, Item, Page
from tests.support.collector import RunningCollector

DOCUMENT: dict[str, Any] = json.loads(files("schema").joinpath("openapi.json").read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
METHODS = ("get", "put", "post", "delete", "options")
ENDPOINTS = {
    "/o": {"post", "options"},
    "/o.gif": {"get"},
    "/b.js": {"get"},
    "/offers.js": {"get"},
    "/guess.js": {"get"},
    "/v1/sessions/current": {"get"},
    "/v1/visitors/{visitor}": {"get"},
    "/v1/offers": {"get"},
    "/v1/offers/batch": {"post"},
    "/v1/carts/abandoned": {"get"},
    "/v1/responses": {"get"},
    "/v1/catalogue": {"get", "put", "post"},
    "/v1/catalogue/{item_id}": {"get", "delete"},
    "/v1/reports/sessions": {"get"},
    "/v1/reports/sessions/{session_id}": {"get"},
    "/v1/reports/readiness": {"get"},
    "/health": {"get"},
    "/ready": {"get"},
    "/metrics": {"get"},
}
OPERATIONS = [
    (path, method, entry[method]) for path, entry in DOCUMENT["paths"].items() for method in METHODS if method in entry
]


def resolved(node: Any) -> Any:
    """What a node stands for: the target of its $ref, or itself."""
    while isinstance(node, dict) and "$ref" in node:
        node = pointed_at(node["$ref"])
    return node


def pointed_at(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document. What lies under `example` is data, not document."""
    if isinstance(node, dict):
        yield node
        for name, child in node.items():
            if name not in ("example", "examples"):
                yield from nodes(child)
    elif isinstance(node, list):
        for child in node:
            yield from nodes(child)


def test_every_reference_resolves() -> None:
    references = {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node}
    assert references
    for reference in references:
        assert isinstance(pointed_at(reference), dict), reference


def test_every_component_is_used() -> None:
    text = json.dumps(DOCUMENT)
    parts = ("schemas", "responses", "parameters", "headers")
    unused = [
        f"{part}/{name}"
        for part in parts
        for name in DOCUMENT["components"][part]
        if f'"#/components/{part}/{name}"' not in text
    ]
    assert unused == []


def test_describes_every_endpoint() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {path: set(entry) & set(METHODS) for path, entry in DOCUMENT["paths"].items()} == ENDPOINTS


def test_operations_are_told_apart_and_answer_something() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for _, _, operation in OPERATIONS:
        assert set(operation["tags"]) <= tags
        assert any(status.startswith("2") for status in operation["responses"])


@pytest.mark.parametrize(("path", "operation"), [(path, operation) for path, _, operation in OPERATIONS])
def test_parameters_of_the_path_are_declared(path: str, operation: dict[str, Any]) -> None:
    declared = [resolved(each) for each in operation.get("parameters", [])]
    assert {each["name"] for each in declared if each["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
    names = [(each["in"], each["name"]) for each in declared]
    assert len(set(names)) == len(names)


def test_security_schemes_exist() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    for _, _, operation in OPERATIONS:
        for choice in operation["security"]:
            assert choice.keys() <= schemes.keys()


def test_errors_are_problems() -> None:
    for path, _, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            if status >= "400" and path not in ("/o.gif", "/ready"):
                assert list(resolved(answer)["content"]) == ["application/problem+json"], (path, status)


def test_every_event_type_is_described() -> None:
    assert tuple(SCHEMAS["EventType"]["enum"]) == events.EVENT_TYPES


@pytest.mark.parametrize("kind", [Batch, Event, Item, Page, Content])
def test_fields_are_those_of_the_wire(kind: type[msgspec.Struct]) -> None:
    described = SCHEMAS[kind.__name__]
    fields = msgspec.structs.fields(kind)
    assert set(described["properties"]) == {field.name for field in fields}
    assert set(described.get("required", [])) == {field.name for field in fields if field.required}
    strict = kind.__struct_config__.forbid_unknown_fields
    assert described.get("additionalProperties", True) is not strict


def test_bounds_are_those_of_the_wire() -> None:
    event = SCHEMAS["Event"]["properties"]
    assert SCHEMAS["Batch"]["properties"]["events"]["maxItems"] == events.MAX_EVENTS_PER_BATCH
    assert event["items"]["maxItems"] == events.MAX_ITEMS_PER_EVENT
    assert event["properties"]["maxProperties"] == events.MAX_PROPERTIES
    assert SCHEMAS["Item"]["properties"]["quantity"]["maximum"] == events.MAX_QUANTITY


@pytest.mark.parametrize("kind", [Event, Item, Page, Content])
def test_lengths_are_those_of_the_wire(kind: type[msgspec.Struct]) -> None:
    derived = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    described = SCHEMAS[kind.__name__]["properties"]
    assert {name: longest(field) for name, field in described.items()} == {
        name: longest(field) for name, field in derived.items()
    }


def longest(field: dict[str, Any]) -> int | None:
    """The greatest length of a text field, whether or not it may be null."""
    choices = [field, *field.get("anyOf", [])]
    return next((choice["maxLength"] for choice in choices if "maxLength" in choice), None)


def test_examples_of_the_wire_are_taken() -> None:
    examples = DOCUMENT["paths"]["/o"]["post"]["requestBody"]["content"]["text/plain"]["examples"]
    for example in examples.values():
        msgspec.json.decode(json.dumps(example["value"]), type=Batch)
    assert len(examples) == 2


def media(node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    for each in nodes(node):
        if "schema" in each and "example" in each:
            yield each["schema"], each["example"]


def complaints(schema: Mapping[str, Any], value: Any, where: str = "$") -> Iterator[str]:
    """Where an example is not what its schema says, as far as the schemas of this document go."""
    schema = resolved(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_a(kind, value) for kind in kinds):
        yield f"{where}: expected {kinds}, got {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    if "oneOf" in schema:
        if all(list(complaints(each, value, where)) for each in schema["oneOf"]):
            yield f"{where}: {value!r} is none of what it may be"
        if "properties" not in schema:
            return
    if isinstance(value, dict):
        yield from complaints_of_object(schema, value, where)
    if isinstance(value, list):
        for place, entry in enumerate(value):
            yield from complaints(schema["items"], entry, f"{where}[{place}]")


def complaints_of_object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}.{name}: missing"
    for name, entry in value.items():
        if name in known:
            yield from complaints(known[name], entry, f"{where}.{name}")
        elif "additionalProperties" not in schema:
            yield f"{where}.{name}: not described"


def is_a(kind: str, value: Any) -> bool:
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "array": list,
    }
    if kind == "null":
        return value is None
    return isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))


def test_examples_are_what_their_schemas_say() -> None:
    found = list(media(DOCUMENT))
    assert len(found) > 20
    assert [text for schema, example in found for text in complaints(schema, example)] == []


def test_checks_of_examples_can_fail() -> None:
    assert list(complaints(SCHEMAS["Problem"], {"type": 5, "colour": ""})) == [
        "$.title: missing",
        "$.status: missing",
        "$.detail: missing",
        "$.type: expected ['string'], got 5",
        "$.colour: not described",
    ]


def asked(url: str, secret: str = "sk_demo", body: object = None) -> tuple[int, Any]:
    """Status and JSON of one request to a real collector."""
    content = None if body is None else json.dumps(body).encode()
    wanted = Request(url, content, {"Authorization": f"Bearer {secret}", "Content-Type": "text/plain"})
    try:
        with urlopen(wanted, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or "null")


def described(path: str, method: str, status: int) -> Mapping[str, Any]:
    """The schema of an answer."""
    answer = resolved(DOCUMENT["paths"][path][method]["responses"][str(status)])
    found: Mapping[str, Any] = next(iter(answer["content"].values()))["schema"]
    return found


@pytest.mark.redis
def test_collector_answers_what_is_described(collector: RunningCollector) -> None:
    said = DOCUMENT["paths"]["/o"]["post"]["requestBody"]["content"]["text/plain"]["examples"]["browser"]["value"]
    visit: dict[str, Any] = {
        "visitor": "openapi-1",
        "events": [{**each, "event_id": f"openapi-{each['event_id']}"} for each in said["events"]],
    }
    visit["events"][1]["transaction_id"] = "openapi-T1"
    assert asked(f"{collector.url}/o", body=visit) == (202, None)
    bad = {"visitor": "openapi-1", "events": [{**visit["events"][0], "event_id": "openapi-3"}, {"type": "stare"}]}
    requests = [
        ("/o", "post", 200, bad),
        ("/o", "post", 400, {"events": []}),
        ("/v1/sessions/current", "get", 200, None),
        ("/v1/visitors/{visitor}", "get", 200, None),
        ("/health", "get", 200, None),
        ("/ready", "get", 200, None),
    ]
    for path, method, expected, body in requests:
        address = path.replace("{visitor}", "openapi-1") + ("?visitor=openapi-1" if "current" in path else "")
        status, answer = asked(f"{collector.url}{address}", body=body)
        assert status == expected, (path, answer)
        assert list(complaints(described(path, method, status), answer)) == [], path


@pytest.mark.redis
@pytest.mark.parametrize(
    ("address", "path", "secret", "expected"),
    [
        ("/v1/visitors/openapi-1", "/v1/visitors/{visitor}", "sk_of_nobody", 401),
        ("/v1/visitors/openapi-nobody", "/v1/visitors/{visitor}", "sk_demo", 404),
        ("/v1/sessions/current", "/v1/sessions/current", "sk_demo", 400),
    ],
)
def test_collector_refuses_as_described(
    collector: RunningCollector, address: str, path: str, secret: str, expected: int
) -> None:
    status, answer = asked(f"{collector.url}{address}", secret)
    assert status == expected
    assert list(complaints(described(path, "get", status), answer)) == []
