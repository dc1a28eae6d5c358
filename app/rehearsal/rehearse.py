"""`onsale rehearse`: simulated fans against the running server, then an audit from outside.

The arena's fans go through the queue and buy one to four tickets; the theatre's buy all they may
until nothing is left, which is then required. With `--draw` they gather in the lobby of a sale
that has not opened; the rehearsal opens it and checks the draw. Exit code 1 when a promise was seen
broken.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from app.arguments import whole
from app.rehearsal import policy
from app.rehearsal.draw import Lobby, NoLobby
from app.rehearsal.fan import Diary, Sale, Wish, live
from app.rehearsal.policy import Call, Numbers, Violation
from app.secrets import admin_token_of
from config.settings import Settings

LOOK_S = 0.2  # between two looks at the numbers
MAX_FANS = 2000
ARRIVALS_PER_S = 40.0
MAX_DURATION_S = 3600
NO_SHOW_SHARE = 0.03
THINK_S = (0.5, 6.0)
BUYS_SHARE = 0.6
PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"
SELLS_OUT = "theatre"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--event", default="arena", help="arena, theatre, … or ev_…")
    parser.add_argument("--fans", type=whole(1, MAX_FANS), default=300)
    parser.add_argument("--url", help="of the server; this machine's by default")
    parser.add_argument(
        "--attack",
        action="store_true",
        help="the share of the front that one person with many cookies gets",
    )
    parser.add_argument(
        "--draw",
        action="store_true",
        help="gather in the lobby, open the sale, and check the draw: of a sale still to open",
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats the same wishes")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """0 when every audit passed, 1 on a violation or when there was no server to rehearse on."""
    event_id = args.event if args.event.startswith("ev_") else f"ev_{args.event}"
    url = (args.url or f"http://{settings.host}:{settings.port}").rstrip("/")
    token = admin_token_of(settings)
    rehearsal = _Rehearsal(Sale(url, event_id), token, args.fans, args.seed, draw=args.draw)
    try:
        violations = asyncio.run(rehearsal.run())
    except NoLobby:
        print(f"{event_id} has no lobby now: its sale has opened, or it has no draw.")
        return 1
    except (httpx.HTTPError, TimeoutError) as exc:
        print(f"The rehearsal broke off: {type(exc).__name__} {exc}. Does {url} answer?")
        return 1
    rehearsal.print_table(violations)
    return 1 if violations else 0


class _Rehearsal:
    def __init__(
        self, sale: Sale, admin_token: str, fans: int, seed: int | None, *, draw: bool = False
    ) -> None:
        self._sale, self._fans, self._rng = sale, fans, random.Random(seed)
        self._admin_path = f"/admin/events/{sale.event_id}"
        self._admin = httpx.AsyncClient(
            base_url=sale.base_url,
            trust_env=False,
            timeout=20.0,
            headers={"authorization": f"Bearer {admin_token}"},
        )
        self._diary = Diary()
        self._lobby = Lobby(sale, self._admin, self._diary, fans) if draw else None
        self._samples: list[Numbers] = []
        self._calls: list[Call] = []
        self._took_s = 0.0

    async def run(self) -> list[Violation]:
        began = time.monotonic()
        async with self._admin:
            if self._lobby:
                await self._lobby.require()
            max_tickets = (await self._get(f"/events/{self._sale.event_id}"))["maxTickets"]
            looking = asyncio.create_task(self._look())
            try:
                async with asyncio.timeout(MAX_DURATION_S):
                    await self._send_fans(max_tickets)
                if looking.done():
                    looking.result()  # raises: an audit without looks would prove nothing
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
            self._took_s = time.monotonic() - began
            return await self._audit()

    async def _send_fans(self, max_tickets: int) -> None:
        async with asyncio.TaskGroup() as fans:
            for _ in range(self._fans):
                rng = random.Random(self._rng.random())
                fans.create_task(live(self._sale, self._wish(max_tickets), self._diary, rng))
                await asyncio.sleep(self._rng.expovariate(ARRIVALS_PER_S))
            if self._lobby:
                await self._lobby.open_when_all_are_in()

    @property
    def _sells_out(self) -> bool:
        return self._sale.event_id == f"ev_{SELLS_OUT}"

    def _wish(self, max_tickets: int) -> Wish:
        if self._sells_out:
            return Wish(tickets=max_tickets)
        return Wish(
            tickets=self._rng.randint(1, max_tickets),
            buys=self._rng.random() < BUYS_SHARE,
            shows_up=self._rng.random() >= NO_SHOW_SHARE,
            think_s=self._rng.uniform(*THINK_S),
        )

    async def _look(self) -> None:
        while True:
            seen = await self._get(f"{self._admin_path}/numbers")
            self._samples.append(
                Numbers(
                    at_ms=time.time_ns() // 1_000_000,
                    called=seen["called"],
                    active=seen["active"],
                    max_active=seen["maxActive"],
                )
            )
            await asyncio.sleep(LOOK_S)

    async def _audit(self) -> list[Violation]:
        self._calls = await self._read_calls()
        diary = self._diary
        capped = (await self._get(f"{self._admin_path}/numbers"))["mode"] != "off"
        documented = policy.documented_codes(PROTOCOL.read_text("utf-8"))
        states = (await self._get(f"/events/{self._sale.event_id}/seats"))["states"]
        return [
            *(policy.over_the_cap(self._samples) if capped else []),
            *policy.out_of_order(self._calls, diary.steady),
            *policy.called_twice_or_shared(self._calls),
            *policy.sold_twice(diary.bookings),
            *policy.undocumented(diary.seen.codes, documented),
            *policy.unsettled(diary.unfinished),
            *(policy.unsold(states) if self._sells_out else []),
            *(await self._lobby.audit(self._calls) if self._lobby else []),
        ]

    async def _read_calls(self) -> list[Call]:
        """Every call of this event, over pages that go on after the last place."""
        calls: dict[tuple[int, str, int], Call] = {}
        after = -1
        while True:
            page = await self._get(f"{self._admin_path}/calls?after={after}")
            if not page:
                return list(calls.values())
            for row in page:
                call = Call(
                    subject=row["subject"],
                    place=row["place"],
                    kind=row["kind"],
                    called_at_ms=row["calledAt"],
                )
                calls[call.place, call.subject, call.called_at_ms] = call
            if page[-1]["place"] <= after:
                return list(calls.values())
            after = page[-1]["place"]

    async def _get(self, path: str) -> Any:
        reply = await self._admin.get(path)
        reply.raise_for_status()
        return reply.json()

    def print_table(self, violations: Sequence[Violation]) -> None:
        diary = self._diary
        print(f"{self._sale.event_id}: {self._fans} fans in {self._took_s:.0f} s")
        for outcome, count in diary.outcomes.items():
            print(f"  {count:6}  {outcome.value}")
        tickets = sum(map(len, diary.bookings.values()))
        most = max((sample.called + sample.active for sample in self._samples), default=0)
        print(f"  {tickets:6}  tickets in {len(diary.bookings)} bookings")
        print(f"  {len(self._samples):6}  looks at the numbers; most called + active: {most}")
        print(f"  {len(self._calls):6}  calls audited; sockets cut: {diary.seen.reconnects}")
        if self._lobby:
            print(f"  {len(diary.entries):6}  entries of the lobby, followed through the draw")
        for code, count in diary.seen.codes.most_common():
            print(f"  {count:6}  times a fan read {code}")
        for violation in violations:
            print(f"BROKEN  {violation.promise}: {violation.evidence}")
        print("no promise was broken" if not violations else f"{len(violations)} violations")
