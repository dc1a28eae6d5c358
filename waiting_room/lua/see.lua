-- Fans are here: keep them present for the grace from now on. A node sends its fans in batches.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] seen       zset: subject -> end of presence, Unix ms
-- KEYS[6] present    bitmap of places
-- KEYS[7] log        stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4..] subjects who are here; those who do not wait are passed over
--
-- Returns: how many of them wait.
--
-- Why a script: a fan who was away comes back into the ranks in the same step. Cost: O(S log N).

-- @include guard
-- @include now
-- @include log
-- @include pace

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local until_ms = int(clock(ARGV[3]) + read_room(KEYS[2]).grace_ms)
local waiting = 0
for i = 4, #ARGV do
  local place = redis.call('ZSCORE', KEYS[4], ARGV[i])
  if place then
    redis.call('ZADD', KEYS[5], 'GT', until_ms, ARGV[i])
    set_present(KEYS[6], KEYS[7], KEYS[3], tonumber(place), 1)
    waiting = waiting + 1
  end
end
return waiting
