"""The page on serving says what the code does: its scopes, and every setting that the service reads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import reco_serving
from reco_assets.platform import settings as settings_module
from reco_assets.platform.settings import Settings
from reco_serving.access import PATHS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
#: What the service runs in a process of its own, and imports nowhere.
BESIDE = "reco_assets.events.decision_lookup"


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of the table below ``heading``, by the first of them."""
    lines = PAGE.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): others for first, *others in cells}


def file_of(module: str) -> Path | None:
    """The source of a module of this project; None where ``module`` is something else."""
    path = ROOT / Path(*module.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def sources_of_the_service() -> list[ast.Module]:
    """Every module that the service is made of, whichever part of the project it lies in."""
    own = Path(reco_serving.__path__[0])
    todo = [f"reco_serving.{path.stem}" for path in own.glob("*.py")] + [BESIDE]
    seen: set[str] = set()
    found = []
    while todo:
        module = todo.pop()
        path = None if module in seen else file_of(module)
        seen.add(module)
        if path is None:
            continue
        found.append(ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(found[-1]):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reco_assets"):
                todo += [str(node.module), *(f"{node.module}.{name.name}" for name in node.names)]
    return found


def is_settings(node: ast.expr) -> bool:
    match node:
        case (
            ast.Name(id="settings") | ast.Attribute(attr="settings") | ast.Call(func=ast.Name(id="Settings"))
        ):
            return True
    return False


def read_by_the_service() -> set[str]:
    """Names of settings; what a property of them is made from counts where the property is read."""
    (own,) = (
        node
        for node in ast.parse(Path(settings_module.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    properties = {
        made.name: {
            node.attr
            for node in ast.walk(made)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        }
        for made in own.body
        if isinstance(made, ast.FunctionDef) and isinstance(getattr(Settings, made.name, None), property)
    }
    read = {
        node.attr
        for source in sources_of_the_service()
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and is_settings(node.value)
    }
    return {name for one in read for name in properties.get(one, {one})} & set(Settings.model_fields)


def test_the_table_of_scopes_is_the_one_that_the_door_reads() -> None:
    told = {scope: set(re.findall(r"`(/[^`]*)`", cells[0])) for scope, cells in rows("scope").items()}
    true: dict[str, set[str]] = {}
    for path, rule in PATHS.items():
        true.setdefault(rule.scope.value if rule.scope is not None else "none", set()).add(path)
    assert told == true
    in_query = {path.split("/{")[0] for path, rule in PATHS.items() if rule.key_in_query}
    (sentence,) = re.findall(r"[^.]*take it as `\?key=` too", PAGE)
    assert set(re.findall(r"`(/[^`]*)`", sentence)) == in_query


def test_every_setting_that_the_service_reads_is_in_the_table_of_options() -> None:
    read = read_by_the_service()
    # one of the service's own, one behind a property, one of what it is made of, one of the process beside it
    assert {"deadline_ms", "policy", "mlflow_uri", "kafka_servers", "s3_endpoint"} <= read
    assert {f"RECO_{name.upper()}" for name in read} - set(rows("setting")) == set()


def test_the_table_of_options_has_no_setting_that_is_gone_and_no_old_default() -> None:
    fields = {f"RECO_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
    for name, (default, _) in rows("setting").items():
        assert name in fields
        if isinstance(fields[name], int | float) and not isinstance(fields[name], bool):
            assert float(default) == fields[name], name
