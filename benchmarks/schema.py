"""Whether the service keeps to its own OpenAPI document, whatever it is asked.

``python -m benchmarks.schema --requests 10000``

schemathesis makes requests from the document, within it and against it, for every endpoint but /stream,
whose answer does not end. An answer must not be a 5xx other than one the document names, and its status,
content type and body must be those that the document says.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.process import process
from benchmarks.report import Value, log
from benchmarks.served import Served, measured, sized, wait_for_bundle

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: What is kept of what went wrong, to be read.
_TOLD: Final = 20
_ENDLESS: Final = "/stream/"

_Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
_Case: TypeAlias = schemathesis.Case[Any]


@dataclass
class Findings:
    """What came of all requests; ``troubles`` says of a few what was wrong."""

    asked: int = 0
    errors_5xx: int = 0
    violations: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)


def examined(url: str, most: int) -> Findings:
    """Ask the service on ``url`` about ``most`` requests, as many of each operation; the same each time."""
    schema = schemathesis.openapi.from_url(f"{url}/docs.json").exclude(path_regex=f"^{_ENDLESS}")
    operations = []
    for one in schema.get_all_operations():
        if not isinstance(one, Ok):
            raise one.err()
        operations.append(one.ok())
    # an endpoint without a body has little to be asked, and nothing against its document
    kinds = [
        (operation, mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if operation.body or mode is GenerationMode.POSITIVE
    ]
    each = max(1, most // max(1, sum(bool(operation.body) for operation, _ in kinds)))
    found = Findings()
    with requests.Session() as session:
        for operation, mode in kinds:
            _examine(operation, mode, each if operation.body else max(1, each // 10), url, session, found)
            log(f"{operation.label}, {mode.value}: {found.asked} requests so far")
    return found


def _examine(
    operation: _Operation,
    mode: GenerationMode,
    each: int,
    url: str,
    session: requests.Session,
    found: Findings,
) -> None:
    @settings(
        max_examples=each,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: _Case) -> None:
        response = case.call(base_url=url, session=session)
        found.asked += 1
        found.statuses[f"{response.status_code}"] += 1
        found.errors_5xx += response.status_code >= 500
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            found.violations += 1
            if len(found.troubles) < _TOLD:
                said = "; ".join(" ".join(str(one).split())[:300] for one in group.exceptions)
                found.troubles.append(f"{operation.method.upper()} {operation.path}: {said}")

    ask()


def main() -> int:
    """Build, start, ask; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sized(parser)
    parser.set_defaults(products=1_000, users=1_000, events=50_000, trees=30)
    parser.add_argument("--requests", type=int, default=10_000, help="how many, about")
    given_ = parser.parse_args()
    return measured("schema", given_, ("requests",), lambda home: _measure(home, given_.requests))


def _measure(home: Served, count: int) -> dict[str, Value]:
    port = home.settings.service_port
    with process(None, port, home.settings):
        wait_for_bundle(home.settings)
        found = examined(f"http://127.0.0.1:{port}", count)
    for trouble in found.troubles:
        log(trouble)
    return {
        "requests": found.asked,
        "errors_5xx": found.errors_5xx,
        "schema_violations": found.violations,
        "statuses": dict(sorted(found.statuses.items())),
        "troubles": found.troubles,
    }


if __name__ == "__main__":
    raise SystemExit(main())
