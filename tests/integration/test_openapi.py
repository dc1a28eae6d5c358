"""/openapi.json names every JSON route of the product, and nothing that is not there."""

import re
from pathlib import Path

import httpx
from starlette.applications import Starlette

from app.admin.model import RoomChange
from app.openapi import document
from app.openapi.operations import OPERATIONS
from core.edge import HTTP_STATUS

PROTOCOL = (Path(__file__).parents[2] / "docs/protocol.md").read_text("utf-8")


async def test_the_document_is_served_and_names_each_operation():
    transport = httpx.ASGITransport(Starlette(routes=document.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://onsale") as client:
        told = (await client.get("/openapi.json")).json()
    assert told["openapi"].startswith("3.1")
    assert sum(len(methods) for methods in told["paths"].values()) == len(OPERATIONS)
    assert "/events/{eventId}/holds/{holdId}" in told["paths"]


def test_every_path_of_the_protocol_is_in_it():
    named = set(re.findall(r"`(?:GET\|)?(GET|POST|PATCH|DELETE) (/[^`?\s]+)", PROTOCOL))
    written = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in named}
    described = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in OPERATIONS}
    assert len(written) > 10
    assert written <= described


def test_an_operation_answers_only_with_codes_that_have_a_status():
    for route, operation in OPERATIONS.items():
        assert set(operation.errors) <= set(HTTP_STATUS), route


def test_bodies_are_those_that_the_routes_parse_with():
    patch = document.document()["paths"]["/admin/events/{eventId}/admission"]["patch"]
    schema = patch["requestBody"]["content"]["application/json"]["schema"]
    assert schema == RoomChange.model_json_schema(by_alias=True)
    assert schema["additionalProperties"] is False
