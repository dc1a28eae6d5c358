-- Close the lobby if it is time, and say what was fixed. Idempotent.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] lobby      hash: subject -> entry_id:joined_at_ms
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
--
-- Returns: {entries, base, drawn_up_to}: N, the place below the first of the draw, and the place up
--   to which the queue is laid; {} while the lobby is open.
--
-- Why a script: no join can come between the count and the numbers given out above it. Cost: O(1).

-- @include guard
-- @include now
-- @include pace
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local draw = close_lobby(KEYS[3], KEYS[4], read_room(KEYS[2]), clock(ARGV[3]))
if not draw then
  return {}
end
return { int(draw.entries), int(draw.ends - draw.entries), int(draw.up_to) }
