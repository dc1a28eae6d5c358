"""What the waiting room should be, in memory: the specification that the scripts are held to.

`plan_calls` decides how many are called, the model who: the present in place order. What Redis
keeps is apart from what PostgreSQL and the fans know, so that it can be lost or go back.
"""

from dataclasses import dataclass, field, replace

from waiting_room.keys import PAGES
from waiting_room.model import Admission, Slip
from waiting_room.policy import (
    RESTORE_MS,
    Limits,
    Pace,
    away_since,
    made_good_until,
    plan_calls,
)

START_MS = 1_000_000_000_000
GRACE_MS, ACCEPT_MS, SHOP_MS = 40_000, 20_000, 50_000
PAGE_MS = GRACE_MS // len(PAGES)
ROOM = 50  # most calls of a tick
KEPT_BEHIND = 3
BLOCK = 10_000


@dataclass
class Kept:
    """What Redis keeps, and may lose."""

    pace: Pace = field(default_factory=Pace)
    ticked: bool = False
    places: dict[str, int] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    last_page: dict[int, int] = field(default_factory=dict)  # place -> page it was seen on
    page: int = 0
    page_ends_ms: int = 0
    head: int = 0
    put_off_to: dict[str, int] = field(default_factory=lambda: {"calls": 0, "active": 0})
    stopped_at_ms: int | None = None


@dataclass
class Model:
    """What the room should be."""

    limits: Limits
    now_ms: int = START_MS
    kept: Kept = field(default_factory=Kept)
    saved: Kept | None = None
    calling: dict[str, int] = field(default_factory=dict)  # fan -> place
    calls: dict[str, int] = field(default_factory=dict)  # fan -> accept by
    active: dict[str, int] = field(default_factory=dict)  # fan -> end
    rows: dict[str, int] = field(default_factory=dict)  # fan -> end, as PostgreSQL has it
    admissions: dict[str, Admission] = field(default_factory=dict)  # as PostgreSQL has them
    last: int = 0
    ceiling: int = BLOCK
    generation: int = 1
    resume_at_ms: int = 0
    stopped: bool = False  # the setting, which no loss of Redis changes
    reached_ms: int | None = None  # when PostgreSQL was, which is away since; None: it is there
    slips: dict[str, Slip] = field(default_factory=dict)  # what each fan's browser keeps
    over: set[int] = field(default_factory=set)  # places called or given up, as PostgreSQL has them
    forfeited: set[str] = field(default_factory=set)  # who did something by which a place is lost

    def where(self, fan):
        if self.active.get(fan, 0) > self.over_by("active"):
            return "admitted", self.active[fan]
        if self.calls.get(fan, 0) > self.over_by("calls"):
            return "called", self.calls[fan]
        place = self.calling.get(fan) or self.kept.places.get(fan)
        return ("waiting", place) if place else ("none", 0)

    @property
    def still_since_ms(self):
        """Since when nobody can book; None: they can."""
        began = [self.kept.stopped_at_ms]
        if self.reached_ms is not None:
            began.append(away_since(self.now_ms, self.reached_ms))
        return min((ms for ms in began if ms is not None), default=None)

    def over_by(self, which):
        """Up to when ends are over: in a stop, the rest is still to be put off."""
        stopped_at_ms = self.kept.stopped_at_ms
        if stopped_at_ms is None:
            return self.now_ms
        return min(self.now_ms, max(self.kept.put_off_to[which], stopped_at_ms))

    def counts_from(self, which):
        """From when a time counts that is given now."""
        made_good = self.kept.put_off_to[which] if self.kept.stopped_at_ms is not None else 0
        return max(self.now_ms, made_good)

    def put_off(self):
        """What one look of a node does to ends; None when there is nothing to do."""
        since_ms, until_ms = self.still_since_ms, made_good_until(self.now_ms)
        if since_ms is None or min(self.kept.put_off_to.values()) >= until_ms:
            return None
        for which, ends in (("calls", self.calls), ("active", self.active)):
            began_ms = max(self.kept.put_off_to[which], since_ms)
            if until_ms > began_ms:
                self.kept.put_off_to[which] = until_ms
                late = {fan: end for fan, end in ends.items() if end > began_ms}
                ends |= {fan: end + until_ms - began_ms for fan, end in late.items()}
        return since_ms, until_ms

    def stop(self, stopped):
        began_ms = self.kept.stopped_at_ms or self.now_ms
        self.stopped, self.kept.stopped_at_ms = stopped, began_ms if stopped else None

    def keep(self):
        """PostgreSQL's rows follow, upwards only."""
        self.rows |= {fan: max(end, self.rows.get(fan, 0)) for fan, end in self.live()}

    def live(self):
        """Who shops, the earliest end first."""
        ends = sorted((end, fan) for fan, end in self.active.items() if end > self.now_ms)
        return [(fan, end) for end, fan in ends]

    def slip(self, fan):
        """As the service reads it."""
        slip = self.slips.get(fan)
        return slip and replace(slip, over=slip.place in self.over)

    def join(self, fan):
        """False when the fan's slip is refused: the browser forgets it, and nothing else changes.

        Only a repair loses a place that nobody gave up; a slip of its own generation is spent.
        """
        kept = self.kept
        if self.where(fan)[0] != "none" and fan not in kept.places:
            return True
        self.lapse(fan)
        if fan not in kept.places:
            slip = self.slip(fan)
            if slip and (slip.over or slip.generation == self.generation):
                del self.slips[fan]
                return False
            if slip is None or slip.place in kept.places.values():
                self.last += 1
            kept.places[fan] = slip.place if slip else self.last
        self.slips[fan] = Slip(kept.places[fan], self.generation)
        self.forfeited.discard(fan)
        self.see([kept.places[fan]])
        return True

    def see(self, places):
        kept = self.kept
        kept.last_page |= dict.fromkeys(places, kept.page)
        kept.present |= {fan for fan, place in kept.places.items() if place in places}

    def lapse(self, fan):
        if self.calls.pop(fan, None):
            self.forfeited.add(fan)
            self.kept.pace = replace(self.kept.pace, lapsed=self.kept.pace.lapsed + 1)

    def accept(self, fan):
        if self.where(fan)[0] == "called":
            del self.calls[fan]
            self.active[fan] = self.counts_from("active") + SHOP_MS
            self.forfeited.add(fan)
        if self.where(fan)[0] == "admitted" and self.reached_ms is None:
            self.rows[fan] = self.active[fan]

    def leave(self, fan):
        self.forfeited.add(fan)
        self.over |= {self.kept.places[fan]} if fan in self.kept.places else set()
        if fan in self.calling:
            self.calls[fan] = self.calling.pop(fan)
        self.lapse(fan)
        self.active.pop(fan, None)
        self.rows.pop(fan, None)
        self.kept.places.pop(fan, None)
        self.kept.present.discard(fan)

    def age(self):
        kept = self.kept
        if kept.page_ends_ms > self.now_ms:
            return
        oldest = kept.page - len(PAGES) + 1
        kept.present = {f for f in kept.present if kept.last_page[kept.places[f]] >= oldest}
        kept.page, kept.page_ends_ms = kept.page + 1, self.now_ms + PAGE_MS

    def tick(self):
        """Who is called now, in place order; they are announced by `announce`."""
        kept, now = self.kept, self.now_ms
        over, late = self.over_by("active"), self.over_by("calls")
        self.active = {fan: end for fan, end in self.active.items() if end > over}
        for fan in [fan for fan, by in self.calls.items() if by <= late]:
            self.lapse(fan)
        if not kept.ticked:
            kept.pace, kept.ticked = replace(kept.pace, tokens_at_ms=now), True
        fresh, replacements, kept.pace = plan_calls(
            kept.pace,
            replace(self.limits, open=self.calls_open),
            now_ms=now,
            busy=len(self.calling) + len(self.calls) + len(self.active),
            present=len(kept.present),
            room=0 if self.calling else ROOM,
        )
        line = sorted(kept.present, key=kept.places.__getitem__)
        for fan in line[: fresh + replacements]:
            kept.present.remove(fan)
            self.calling[fan] = kept.places.pop(fan)
            kept.head = max(kept.head, self.calling[fan])
        behind = {fan for fan, place in kept.places.items() if place < kept.head - KEPT_BEHIND}
        for fan in behind - kept.present:
            del kept.places[fan]  # gone
            self.forfeited.add(fan)
        return sorted(self.calling, key=self.calling.__getitem__)

    def announce(self):
        self.over |= set(self.calling.values())
        for fan in self.calling:
            self.rows.pop(fan, None)  # of a turn they had before
        accept_by = self.counts_from("calls") + ACCEPT_MS
        self.calls |= dict.fromkeys(self.calling, accept_by)
        self.calling.clear()

    @property
    def calls_open(self):
        return self.now_ms >= self.resume_at_ms and self.kept.stopped_at_ms is None

    def repair(self, survived):
        """PostgreSQL's open calls over what survived; places go on at the ceiling. Whose
        place is over does not wait at it again, in whatever survived."""
        now = self.now_ms
        self.kept, self.generation = survived, self.generation + 1
        for fan in [fan for fan, p in survived.places.items() if p in self.over]:
            del survived.places[fan]
            survived.present.discard(fan)
        self.kept.pace = replace(self.kept.pace, tokens=Pace().tokens, binds=False)
        self.kept.ticked = False
        self.kept.put_off_to = Kept().put_off_to
        self.kept.stopped_at_ms = now if self.stopped else None
        accepted = {fan: self.rows.get(fan) for fan in self.active}
        self.active = {fan: end for fan, end in accepted.items() if end and end > now}
        unanswered = [fan for fan, end in accepted.items() if end is None]
        self.calls = dict.fromkeys([*self.calls, *unanswered], now + ACCEPT_MS)
        self.calling.clear()
        for fan in {*self.active, *self.calls}:
            self.kept.places.pop(fan, None)
            self.kept.present.discard(fan)
        self.kept.last_page |= {self.kept.places[f]: self.kept.page for f in self.kept.present}
        self.last, self.ceiling = self.ceiling, self.ceiling + BLOCK
        self.resume_at_ms = now + RESTORE_MS
        return [
            (fan, self.admissions[fan], self.active.get(fan, 0))
            for fan in (*self.active, *self.calls)
        ]
