"""The OpenAPI document has an example of everything, and each is what its schema says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reco_serving.access import PATHS, rule_of
from reco_serving.described import DESCRIBED, Described
from reco_serving.openapi import document
from tests.serving.conftest import Running

#: A part of the document.
Spec = dict[str, Any]
DOCUMENT: Any = document(keys=True)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


@dataclass(frozen=True)
class Told:
    """Something with a schema and examples, and where it stands; None is the schema of a text."""

    where: str
    schema: Any
    examples: list[Any]


def told(operation: Spec) -> Iterator[Told]:
    """All that an operation may be asked and may answer."""
    for one in operation.get("parameters", []):
        if one["in"] != "header":
            yield Told(one["name"], one["schema"], [one["example"]])
    yield from bodies("request", operation.get("requestBody", {}))
    for status, response in operation["responses"].items():
        yield from bodies(status, response)
        for name, header in response.get("headers", {}).items():
            yield Told(f"{status} {name}", header["schema"], [header["example"]])


def bodies(where: str, said: Spec) -> Iterator[Told]:
    for kind, body in said.get("content", {}).items():
        several = [one["value"] for one in body.get("examples", {}).values()]
        examples = several or [body["example"]]
        yield Told(f"{where} {kind}", body.get("schema"), examples)


@every_operation
def test_every_example_is_what_its_schema_says(operation: Spec) -> None:
    for one in told(operation):
        assert one.examples, one.where
        for example in one.examples:
            if one.schema is None:
                assert isinstance(example, str), one.where
                assert example, one.where
                continue
            whole = {**one.schema, "components": DOCUMENT["components"]}
            faults = [fault.message for fault in Draft202012Validator(whole).iter_errors(example)]
            assert faults == [], f"{one.where}: {example}"


def test_an_example_that_is_not_what_its_schema_says_is_found() -> None:
    whole = {"$ref": "#/components/schemas/RecommendRequest", "components": DOCUMENT["components"]}
    assert not Draft202012Validator(whole).is_valid({"user_id": "u42", "num_recommendations": 0})


@every_operation
def test_every_operation_says_what_it_answers_and_what_it_refuses(operation: Spec) -> None:
    responses = operation["responses"]
    assert {"200", "202"} & responses.keys()
    assert "405" in responses
    assert all(response.get("content") for status, response in responses.items() if status != "304")
    assert all("Retry-After" in responses[one]["headers"] for one in {"429"} & responses.keys())
    assert "Allow" in responses["405"]["headers"]


def test_what_asks_for_a_key_says_how_it_refuses() -> None:
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            asks = rule_of(path).scope is not None
            assert (operation["responses"].keys() >= {"401", "403", "429"}) is asks
    for one in DESCRIBED:
        assert DOCUMENT["paths"][one.path]["post"]["responses"].keys() >= {"200", "400", "408", "413", "503"}
    assert "Retry-After" in DOCUMENT["paths"]["/events"]["post"]["responses"]["503"]["headers"]


def test_every_path_of_the_table_of_access_is_described_but_the_pages_own() -> None:
    undescribed = {"/livez", "/readyz", "/", "/docs.json", "/static_content/{file}"}
    assert set(PATHS) - set(DOCUMENT["paths"]) == undescribed


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_method_that_is_not_described_is_refused_as_is_said(service: Running, path: str) -> None:
    said = next(iter(DOCUMENT["paths"][path].values()))["responses"]["405"]
    allowed = said["headers"]["Allow"]["example"]
    filled = path.replace("{session_id}", "s7").replace("{recommendation_id}", "r1")
    refused = service.client.request("DELETE", filled)
    assert refused.status_code == 405
    assert set(refused.headers["allow"].split(", ")) == set(allowed.split(", "))
    fault = refused.json()["error"]
    assert fault["field"] == "method"


@pytest.mark.parametrize("one", DESCRIBED, ids=[one.path for one in DESCRIBED])
def test_an_example_of_a_question_gets_an_answer_like_the_example(service: Running, one: Described) -> None:
    answer = service.client.post(one.path, json=one.example)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == set(one.answer.__struct_fields__)
