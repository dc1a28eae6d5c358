-- Announce calls that are in PostgreSQL now: the accept window begins.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] calling    zset: subject -> called at, ms
-- KEYS[5] calls      zset: subject -> accept by, ms
-- KEYS[6] log        stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4..] subjects whose calls were inserted
--
-- Returns: how many were announced by this call; a repeat announces nobody twice.
--
-- Why a script: a call leaves one set and enters the other in one step, so it always counts once
-- against the cap. Cost: O(S log N).

-- @include guard
-- @include now
-- @include log
-- @include pace
-- @include still

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local room = read_room(KEYS[2])
local begins = counts_from(KEYS[2], KEYS[3], 'calls', clock(ARGV[3]))
local accept_by = int(begins + room.accept_ms)
local announced = 0
for i = 4, #ARGV do
  if redis.call('ZREM', KEYS[4], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[5], accept_by, ARGV[i])
    append(KEYS[6], KEYS[3], 'call', ARGV[i])
    announced = announced + 1
  end
end
return announced
