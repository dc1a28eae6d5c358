"""/openapi.json names every JSON route of the product, and nothing that is not there."""

import re
from pathlib import Path

import httpx
from starlette.applications import Starlette

from app import openapi
from app.admin.model import RoomChange
from core.edge import HTTP_STATUS

PROTOCOL = (Path(__file__).parents[2] / "docs/protocol.md").read_text("utf-8")


async def test_the_document_is_served_and_names_each_operation():
    transport = httpx.ASGITransport(Starlette(routes=openapi.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://onsale") as client:
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    served = sum(len(methods) for methods in document["paths"].values())
    assert served == len(openapi.OPERATIONS)
    assert "/events/{eventId}/holds/{holdId}" in document["paths"]


def test_every_path_of_the_protocol_is_in_it():
    named = set(re.findall(r"`(?:GET\|)?(GET|POST|PATCH|DELETE) (/[^`?\s]+)", PROTOCOL))
    written = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in named}
    described = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in openapi.OPERATIONS}
    assert len(written) > 10
    assert written <= described


def test_an_operation_answers_only_with_codes_that_have_a_status():
    for route, operation in openapi.OPERATIONS.items():
        assert set(operation.errors) <= set(HTTP_STATUS), route


def test_bodies_are_those_that_the_routes_parse_with():
    patch = openapi.document()["paths"]["/admin/events/{eventId}/admission"]["patch"]
    schema = patch["requestBody"]["content"]["application/json"]["schema"]
    assert schema == RoomChange.model_json_schema(by_alias=True)
    assert schema["additionalProperties"] is False
