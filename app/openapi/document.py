"""GET /openapi.json: the JSON API in OpenAPI 3.1, made of the table of its operations."""

from __future__ import annotations

from functools import cache
from typing import Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.openapi.operations import OPERATIONS, Operation
from app.openapi.schemas import INTEGER, TEXT, Schema, fields
from core.edge import HTTP_STATUS, json_reply

CACHE_CONTROL: Final = "public, max-age=60"


def routes() -> list[Route]:
    return [Route("/openapi.json", _show, methods=["GET"])]


async def _show(_: Request) -> Response:
    return json_reply(document(), headers={"cache-control": CACHE_CONTROL})


@cache
def document() -> Schema:
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(_camel(path), {})[method.lower()] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Onsale", "version": "1"},
        "paths": paths,
        "components": {"schemas": {"Problem": _problem()}},
    }


def _problem() -> Schema:
    codes = {"enum": sorted({*HTTP_STATUS, "method_not_allowed", "internal"})}
    return fields("type", "title", code=codes, status=INTEGER, retry={"type": "boolean"})


def _operation(path: str, operation: Operation) -> Schema:
    found: Schema = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(path), *_in_query(operation), *_in_headers(operation)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        found["requestBody"] = {
            "content": {"application/json": {"schema": _schema(operation.body)}}
        }
    return found


def _responses(operation: Operation) -> Schema:
    answer = operation.answer
    content = {} if answer is None else {"content": {"application/json": {"schema": answer}}}
    found: Schema = {str(status): {"description": "Done", **content} for status in operation.ok}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    by_status: dict[int, list[str]] = {}
    for code in ("bad_request", *operation.errors):
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    for status, codes in by_status.items():
        found[str(status)] = {
            "description": ", ".join(codes),
            "content": {"application/problem+json": problem},
        }
    return found


def _schema(body: type[BaseModel] | Schema) -> Schema:
    return body if isinstance(body, dict) else body.model_json_schema(by_alias=True)


def _in_path(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": _camel(name), "in": "path", "required": True, "schema": TEXT} for name in names
    ]


def _in_query(operation: Operation) -> list[Schema]:
    if operation.query is None:
        return []
    properties = operation.query.model_json_schema(by_alias=True)["properties"]
    return [{"name": name, "in": "query", "schema": properties[name]} for name in properties]


def _in_headers(operation: Operation) -> list[Schema]:
    return [
        {"name": name, "in": "header", "required": True, "schema": TEXT}
        for name in operation.headers
    ]


def _camel(path: str) -> str:
    """`event_id` → `eventId`, within a path too."""
    for name in ("event", "hold", "booking", "admission"):
        path = path.replace(f"{name}_id", f"{name}Id")
    return path
