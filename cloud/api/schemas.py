"""JSON schemas of bodies: what a request holds, without what the path says already, and with numbers for cards."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cloud.api.route import Route
from cloud.api.uids import SPOTS, UID_PATTERN, Spot
from cloud.domain.payloads import PAYLOADS

_REF: Final = "#/components/schemas/{model}"
_NUMBER: Final = {
    "type": "string",
    "pattern": f"^{UID_PATTERN}$",
    "writeOnly": True,
    "description": "Number of the card as a reader shows it, 4 to 16 bytes in hex; hashed on arrival, never stored.",
}


def body_schema(route: Route) -> dict[str, Any] | None:
    """Schema of the body that a route takes, complete in itself; None for a route that takes none."""
    if route.operation == "lookupCard":
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {"uid": _NUMBER},
            "required": ["uid"],
        }
    if route.change is None or not route.takes_body:
        return None
    schema = _inlined(PAYLOADS[route.change].model_json_schema())
    for name in route.bound.values():
        schema["properties"].pop(name)
    spot = SPOTS.get(route.change)
    if spot is not None and spot.within is not None:
        _allow_number(schema["properties"][spot.within]["items"], spot)
    elif spot is not None and spot.card in schema["properties"]:
        _allow_number(schema, spot)
    schema["required"] = [name for name in schema.get("required", ()) if name in schema["properties"]]
    if not schema["required"]:
        del schema["required"]
    return schema


def components(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these models and of all that they hold, sorted by name."""
    _, schema = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    named = {_readable(name): part for name, part in schema["$defs"].items()}
    return {name: untitled(named[name]) for name in sorted(named)}


def reference(model: type[BaseModel]) -> str:
    """How the document refers to the schema of a model."""
    return _REF.format(model=_readable(re.sub(r"\W", "_", model.__name__)))


def _readable(name: str) -> str:
    """A page of doors is a DoorPage."""
    return re.sub(r"^Page_(\w+)_$", r"\1Page", name)


def untitled(schema: Any) -> Any:
    """The schema without the titles that repeat the names of its fields."""
    if isinstance(schema, list):
        return [untitled(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: untitled(part)
        for name, part in schema.items()
        # A field may be called title: then it is described by an object.
        if not (name == "title" and isinstance(part, str))
    }


def _allow_number(schema: dict[str, Any], spot: Spot) -> None:
    """Let a number stand where a card may; one of the two, or neither where the card may be left out."""
    needed = spot.card in schema.get("required", ())
    schema["properties"] = {**schema["properties"], spot.number: _NUMBER}
    if needed:
        schema["required"] = [name for name in schema["required"] if name != spot.card]
        schema["oneOf"] = [{"required": [spot.card]}, {"required": [spot.number]}]
    else:
        schema["not"] = {"required": [spot.card, spot.number]}


def _inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to in place: bodies differ in details by where they are sent."""
    definitions = schema.get("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(each) for each in part]
        if not isinstance(part, Mapping):
            return part
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            return {**resolved(definitions[name]), **{key: part[key] for key in part if key != "$ref"}}
        return {key: resolved(each) for key, each in part.items() if key != "$defs"}

    inlined: dict[str, Any] = untitled(resolved(schema))
    return inlined
