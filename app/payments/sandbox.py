"""The sandbox gateway: a payment provider to practise on. A process of its own.

    python -m app.payments.sandbox --ledger PATH --socket PATH

It takes no money. It behaves as real ones do where it hurts: its ledger is durable and its own,
a reply may be slow or never come although the payment was authorised, and every call is
idempotent by the key that the shop sends. States:

    created ──confirm──► authorised ──capture──► captured ──refund──► refunded
       │         └─────► declined
       └──cancel──► cancelled ◄──cancel── authorised
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.edge import Body, json_reply, on_app_error, read_body
from core.errors import AppError

SLOW_S = 4.0
HANG_S = 60.0  # longer than any caller waits
SCHEMA = """
create table if not exists payment (
    payment_id   text primary key,
    key          text not null unique,
    amount_minor integer not null,
    currency     text not null,
    token        text not null,
    state        text not null
);
create table if not exists movement (
    payment_id text not null,
    what       text not null,
    primary key (payment_id, what)
);
"""
# (state, operation) -> state. An operation repeated in its own end state changes nothing.
MOVES = {
    ("created", "cancel"): "cancelled",
    ("authorised", "capture"): "captured",
    ("authorised", "cancel"): "cancelled",
    ("captured", "refund"): "refunded",
}
ENDS = {"capture": "captured", "cancel": "cancelled", "refund": "refunded"}
APPROVING = {"tok_approve", "tok_slow", "tok_unsure"}  # any other card is declined
SILENT = {"tok_unsure", "tok_unsure_declined"}


class Payment(Body):
    key: str = Field(max_length=64)
    amount_minor: int = Field(ge=0)
    currency: str = Field(max_length=3)
    token: str = Field(max_length=64)


class Ledger:
    """Synchronous on purpose: a row is on disk before anybody hears of it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("pragma journal_mode=wal; pragma synchronous=full;" + SCHEMA)

    def close(self) -> None:
        self._db.close()

    def create(self, payment_id: str, wanted: Payment) -> dict[str, Any]:
        self._db.execute(
            "insert into payment values (?, ?, ?, ?, ?, 'created') on conflict (key) do nothing",
            (payment_id, wanted.key, wanted.amount_minor, wanted.currency, wanted.token),
        )
        found = self.find(wanted.key)
        assert found is not None
        return found

    def find(self, key: str) -> dict[str, Any] | None:
        row = self._db.execute("select * from payment where key = ?", (key,)).fetchone()
        return dict(row) if row else None

    def get(self, payment_id: str) -> dict[str, Any]:
        row = self._db.execute(
            "select * from payment where payment_id = ?", (payment_id,)
        ).fetchone()
        if row is None:
            raise HTTPException(404)
        return dict(row)

    def confirm(self, payment_id: str) -> dict[str, Any]:
        payment = self.get(payment_id)
        if payment["state"] == "created":
            self._set(payment_id, "authorised" if payment["token"] in APPROVING else "declined")
        return self.get(payment_id)

    def move(self, payment_id: str, operation: str) -> dict[str, Any]:
        payment = self.get(payment_id)
        after = MOVES.get((payment["state"], operation))
        if after is not None:
            self._set(payment_id, after)
        return self.get(payment_id)

    def _set(self, payment_id: str, state: str) -> None:
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute(
                "update payment set state = ? where payment_id = ?", (state, payment_id)
            )
            self._db.execute("insert into movement values (?, ?)", (payment_id, state))


class Sandbox:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def app(self) -> Starlette:
        one = "/payments/{payment_id}"
        return Starlette(
            routes=[
                Route("/payments", self.create, methods=["POST"]),
                Route("/payments", self.find, methods=["GET"]),
                Route(one, self.get, methods=["GET"]),
                Route(f"{one}/confirm", self.confirm, methods=["POST"]),
                Route(f"{one}/{{operation:str}}", self.move, methods=["POST"]),
            ],
            exception_handlers={AppError: on_app_error},
        )

    async def create(self, request: Request) -> Response:
        wanted = await read_body(request, Payment)
        return json_reply(self._ledger.create(f"pay_{os.urandom(12).hex()}", wanted))

    async def find(self, request: Request) -> Response:
        found = self._ledger.find(request.query_params.get("key", ""))
        if found is None:
            raise HTTPException(404)
        return json_reply(found)

    async def get(self, request: Request) -> Response:
        return json_reply(self._ledger.get(request.path_params["payment_id"]))

    async def confirm(self, request: Request) -> Response:
        payment = self._ledger.confirm(request.path_params["payment_id"])
        if payment["token"] in SILENT:
            await asyncio.sleep(HANG_S)  # the deed is done and nobody is told
        if payment["token"] == "tok_slow":  # noqa: S105 (a test card)
            await asyncio.sleep(SLOW_S)
        return json_reply(payment)

    async def move(self, request: Request) -> Response:
        operation = request.path_params["operation"]
        if operation not in ENDS:
            raise HTTPException(404)
        payment = self._ledger.move(request.path_params["payment_id"], operation)
        done = payment["state"] == ENDS[operation]
        return json_reply(payment, 200 if done else 409)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    args = parser.parse_args()
    os.umask(0o077)
    ledger = Ledger(args.ledger)
    app = Sandbox(ledger).app()
    uvicorn.run(app, uds=str(args.socket), log_level="warning", timeout_graceful_shutdown=1)
    ledger.close()


if __name__ == "__main__":
    main()
