"""The JSON schemas of what commands print with `--json`, and holding outputs to them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


@cache
def validator(name: str) -> jsonschema.protocols.Validator:
    """The validator of a command's output that takes no key which its schema does not name."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    return jsonschema.Draft202012Validator(_closed(schema))


def check_output(name: str, printed: str) -> Any:
    """Return what a command printed, once its schema allows it; `extract --dry-run` is called extract-dry-run."""
    content = json.loads(printed)
    faults = [f"{fault.json_path}: {fault.message[:300]}" for fault in validator(name).iter_errors(content)]
    assert not faults, "\n".join([f"mend docs/schemas/{name}.json, or what is printed:", *faults])
    return content


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have the properties that it names, and no others."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: _closed(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema and "additionalProperties" not in schema:
        out["additionalProperties"] = False
    return out
