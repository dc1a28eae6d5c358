"""What a fan may be told by the waiting room."""

from __future__ import annotations

from core.errors import AppError


class NotOpen(AppError):
    code = "not_open"
    title = "The sale has not opened yet. Nobody has a place before it does."
    retry = True

    def __init__(self, opens_at_ms: int) -> None:
        super().__init__(str(opens_at_ms))
        self.opens_at_ms = opens_at_ms

    def detail(self) -> dict[str, object]:
        return {"opensAt": self.opens_at_ms}


class QueueClosed(AppError):
    """`intake` says whether it may open again (closed) or comes to its end (draining, drained)."""

    code = "queue_closed"
    title = "The queue takes nobody new. Those who have a place keep it."

    def __init__(self, intake: str) -> None:
        super().__init__(intake)
        self.intake = intake

    def detail(self) -> dict[str, object]:
        return {"intake": self.intake}


class SaleStopped(AppError):
    """The emergency stop. What is held stays held, and payments under way are finished."""

    code = "sale_stopped"
    title = "The organiser has stopped the sale for now. No seats can be taken or paid for."
    retry = True
    retry_after_s = 10


class CapReached(AppError):
    """For operators: a turn out of line takes a slot like any other."""

    code = "cap_reached"
    title = "As many are called or shopping as the cap allows. Raise it, or wait until one leaves."
    retry = True

    def __init__(self, max_active: int) -> None:
        super().__init__(str(max_active))
        self.max_active = max_active

    def detail(self) -> dict[str, object]:
        return {"maxActive": self.max_active}


class NotCalled(AppError):
    code = "not_called"
    title = "There is no call to accept: it is not your turn yet, or the time to accept ran out."


class PassInvalid(AppError):
    code = "pass_invalid"
    title = "The admission pass is not one of ours. Go to the event's queue for another."


class PassExpired(AppError):
    code = "pass_expired"
    title = "The admission pass has ended. The event's queue renews it while your turn lasts."


class PassOtherFan(AppError):
    code = "pass_other_fan"
    title = "The admission pass belongs to another fan."


class PassOtherEvent(AppError):
    code = "pass_other_event"
    title = "The admission pass is for another event."


class PassUsed(AppError):
    """One of ours, of an admission that is over: left, used up, ended or taken back."""

    code = "pass_used"
    title = "The turn that this admission pass is of is over. Join the queue for another."


class BadSlip(AppError):
    code = "bad_slip"
    title = (
        "The slip of your old place is not one of ours. Without it you get a new one at the end."
    )


class SlipOtherFan(AppError):
    code = "slip_other_fan"
    title = "The slip is of another visitor's place. Without it you get a place of your own."


class SlipOtherEvent(AppError):
    code = "slip_other_event"
    title = "The slip is of a place at another event. Without it you get a place here."


class SlipUsed(AppError):
    """The place was called, given up or taken back."""

    code = "slip_used"
    title = (
        "Your old place had its turn or was given up. Without its slip you get a new one at the"
        " end."
    )


class SlipExpired(AppError):
    """The queue went past the place while its fan was away: it was not called."""

    code = "slip_expired"
    title = (
        "The queue went past your old place while you were away. Without its slip you get a new"
        " one at the end."
    )


class BadReceipt(AppError):
    """Forged or of another fan: a receipt does not name its fan, so nobody can tell which."""

    code = "bad_receipt"
    title = "The lobby receipt is not yours for this event. You may join without it, as anybody."


class NotDrawn(AppError):
    code = "not_drawn"
    title = "The draw is not that far yet: its list is fixed at the opening, its order after that."
    retry = True


class BeaconRefused(AppError):
    """`why` says which moment the change is too early or too late for."""

    code = "beacon_refused"
    title = "The beacon can't be changed like this now."

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def detail(self) -> dict[str, object]:
        return {"why": self.why}


class Changed(AppError):
    """`current` is what the operator should look at before trying again."""

    code = "changed"
    title = "Somebody changed these settings since you read them. Look at the values of now."

    def __init__(self, current: dict[str, object]) -> None:
        super().__init__("settings changed")
        self.current = current

    def detail(self) -> dict[str, object]:
        return {"current": self.current}
