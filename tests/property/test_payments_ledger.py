"""Laws of the sandbox's ledger: whatever is called in whatever order, money moves once."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.payments.sandbox import Ledger, Payment

CALLS = st.lists(st.sampled_from(["create", "confirm", "capture", "cancel", "refund"]), max_size=12)
TOKENS = st.sampled_from(["tok_approve", "tok_decline", "tok_unsure", "tok_unsure_declined"])
BEFORE = {
    "authorised": {"created"},
    "declined": {"created"},
    "captured": {"authorised"},
    "cancelled": {"created", "authorised"},
    "refunded": {"captured"},
}


@given(calls=CALLS, token=TOKENS)
def test_a_payment_moves_only_along_its_table_and_each_way_once(calls, token):
    ledger = Ledger(Path(":memory:"))
    wanted = Payment.model_validate(
        {"key": "bk_1", "amountMinor": 1000, "currency": "EUR", "token": token}
    )
    state = ledger.create("pay_1", wanted)["state"]
    seen = [state]
    for number, call in enumerate(calls):
        if call == "create":
            after = ledger.create(f"pay_other{number}", wanted)
            assert (after["payment_id"], after["state"]) == ("pay_1", state)
        elif call == "confirm":
            after = ledger.confirm("pay_1")
        else:
            after = ledger.move("pay_1", call)
        if after["state"] != state:
            assert state in BEFORE[after["state"]]
            state = after["state"]
            seen.append(state)
    assert seen.count("captured") <= 1
    assert not ("declined" in seen and "captured" in seen)
    assert ledger.find("bk_1")["state"] == state
    ledger.close()
