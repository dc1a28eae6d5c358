"""What the waiting room should be, in memory: the specification that the scripts are held to.

`plan_calls` decides how many are called, the model who: the present in place order. What Redis
keeps is apart from what PostgreSQL and the fans know, so that it can be lost or go back.
"""

from dataclasses import dataclass, field, replace

from waiting_room.keys import PAGES
from waiting_room.model import Admission, Slip
from waiting_room.policy import RESTORE_MS, Limits, Pace, plan_calls

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
    admissions: dict[str, Admission] = field(default_factory=dict)  # as PostgreSQL has them
    last: int = 0
    ceiling: int = BLOCK
    generation: int = 1
    resume_at_ms: int = 0
    slips: dict[str, Slip] = field(default_factory=dict)  # what each fan's browser keeps
    over: set[int] = field(default_factory=set)  # places called or given up, as PostgreSQL has them
    forfeited: set[str] = field(default_factory=set)  # who did something by which a place is lost

    def where(self, fan):
        if self.active.get(fan, 0) > self.now_ms:
            return "admitted", self.active[fan]
        if self.calls.get(fan, 0) > self.now_ms:
            return "called", self.calls[fan]
        place = self.calling.get(fan) or self.kept.places.get(fan)
        return ("waiting", place) if place else ("none", 0)

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
        if self.active.get(fan, 0) <= self.now_ms and self.calls.get(fan, 0) > self.now_ms:
            del self.calls[fan]
            self.active[fan] = self.now_ms + SHOP_MS
            self.forfeited.add(fan)

    def leave(self, fan):
        self.forfeited.add(fan)
        self.over |= {self.kept.places[fan]} if fan in self.kept.places else set()
        if fan in self.calling:
            self.calls[fan] = self.calling.pop(fan)
        self.lapse(fan)
        self.active.pop(fan, None)
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
        self.active = {fan: end for fan, end in self.active.items() if end > now}
        for fan in [fan for fan, by in self.calls.items() if by <= now]:
            self.lapse(fan)
        if not kept.ticked:
            kept.pace, kept.ticked = replace(kept.pace, tokens_at_ms=now), True
        fresh, replacements, kept.pace = plan_calls(
            kept.pace,
            replace(self.limits, open=now >= self.resume_at_ms),
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
        self.calls |= dict.fromkeys(self.calling, self.now_ms + ACCEPT_MS)
        self.calling.clear()

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
        self.active = {fan: end for fan, end in self.active.items() if end > now}
        self.calls = dict.fromkeys(self.calls, now + ACCEPT_MS)
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
