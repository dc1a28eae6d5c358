"""The sandbox gateway as a shop meets it: over its socket, with its answers and its silence."""

import sqlite3

import httpx
import pytest

from app.payments.gateway import SandboxGateway, Unsure
from core.ids import new_id


@pytest.fixture
async def gateway(gateway_socket):
    client = SandboxGateway(gateway_socket, answer_timeout_s=3)
    yield client
    await client.aclose()


async def create(gateway, token="tok_approve", key=None):
    return await gateway.create(key or new_id("bk"), 1000, "EUR", token)


async def test_one_key_is_one_payment_however_often_it_is_sent(gateway):
    key = new_id("bk")
    first = await create(gateway, key=key)
    assert await create(gateway, key=key) == first
    assert await gateway.find(key) == first
    assert await create(gateway) != first


async def test_a_key_it_never_heard_of_is_not_found(gateway):
    assert await gateway.find(new_id("bk")) is None


async def test_every_call_may_be_repeated(gateway):
    payment_id = (await create(gateway)).payment_id
    for call, state in (
        (gateway.confirm, "authorised"),
        (gateway.capture, "captured"),
        (gateway.refund, "refunded"),
    ):
        assert [(await call(payment_id)).state for _ in range(2)] == [state, state]


@pytest.mark.parametrize("token", ["tok_decline", "tok_nobody_knows"])
async def test_a_bad_card_is_declined_and_stays_so(gateway, token):
    payment_id = (await create(gateway, token)).payment_id
    assert (await gateway.confirm(payment_id)).state == "declined"
    assert (await gateway.capture(payment_id)).state == "declined"


async def test_a_captured_payment_can_not_be_cancelled_and_the_answer_says_so(gateway):
    payment_id = (await create(gateway)).payment_id
    await gateway.confirm(payment_id)
    await gateway.capture(payment_id)
    assert (await gateway.cancel(payment_id)).state == "captured"


async def test_silence_after_the_deed_is_unsure_and_the_record_tells(gateway):
    key = new_id("bk")
    payment = await create(gateway, "tok_unsure", key)
    with pytest.raises(Unsure):
        await gateway.confirm(payment.payment_id)
    assert (await gateway.find(key)).state == "authorised"


@pytest.mark.parametrize("call", ["confirm", "capture", "cancel", "refund"])
async def test_a_payment_it_does_not_know_is_unsure_never_a_crash(gateway, call):
    with pytest.raises(Unsure):
        await getattr(gateway, call)("pay_lost")


async def test_nonsense_is_refused_and_leaves_no_payment(gateway_socket, gateway_ledger):
    transport = httpx.AsyncHTTPTransport(uds=str(gateway_socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as shop:
        body = {"key": "bk_bad", "amountMinor": -1, "currency": "EUR", "token": "tok_approve"}
        assert (await shop.post("/payments", json=body)).status_code == 422
    book = sqlite3.connect(gateway_ledger)
    assert book.execute("select count(*) from payment where key = 'bk_bad'").fetchone() == (0,)
    book.close()
