"""Services that do one thing again and again."""

import asyncio

from core.errors import StoreUnavailable
from core.tasks import Repeated
from tests.waiting import LIMIT_S


async def test_a_duty_that_a_store_refused_is_done_again_and_stopping_twice_is_fine():
    done, again = [], asyncio.Event()

    async def duty():
        done.append(len(done))
        if len(done) == 1:
            raise StoreUnavailable("away")
        again.set()

    service = Repeated(duty, every_s=0.0)
    await service.stop()
    await service.start()
    await asyncio.wait_for(again.wait(), LIMIT_S)
    await service.stop()
    so_far = len(done)
    await asyncio.sleep(0)
    await service.stop()
    assert len(done) == so_far >= 2


async def test_a_duty_with_a_bug_is_done_again_and_the_bug_is_told(caplog):
    again = asyncio.Event()

    async def duty():
        if caplog.records:
            return again.set()
        raise ZeroDivisionError

    service = Repeated(duty, every_s=0.0)
    await service.start()
    await asyncio.wait_for(again.wait(), LIMIT_S)
    await service.stop()
    (told,) = caplog.records
    assert told.exc_info[0] is ZeroDivisionError
    assert "duty" in told.duty
