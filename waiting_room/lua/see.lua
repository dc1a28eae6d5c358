-- Fans are here: a node sends the places of its fans, many in one bitmap.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] present    bitmap of places: who counts in ranks
-- KEYS[5] seen0      bitmap of places seen since age.lua turned the page
-- KEYS[6] scratch    bitmap, only within a script
-- KEYS[7] log        stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] first_byte of the bitmap at which `here` begins, int >= 0
-- ARGV[4] here       bitmap of the places that are here
-- ARGV[5] most       who may come back in this call, int >= 1
--
-- Returns: how many came back into the ranks; when it is `most`, a repeat brings the others.
--
-- Why a script: who comes back is compared with who is present, and a node that has not heard yet
-- that a fan was called or left must bring nobody back. Cost: O(bytes + B log N) for B who came back.

-- @include guard
-- @include now
-- @include log

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
redis.call('DEL', KEYS[6])
redis.call('SETRANGE', KEYS[6], ARGV[3], ARGV[4])
redis.call('BITOP', 'OR', KEYS[5], KEYS[5], KEYS[6])
redis.call('BITOP', 'OR', KEYS[6], KEYS[6], KEYS[4])
redis.call('BITOP', 'XOR', KEYS[6], KEYS[6], KEYS[4]) -- here, and not present
local back, byte = {}, 0
while #back < tonumber(ARGV[5]) do
  local place = redis.call('BITPOS', KEYS[6], 1, byte)
  if place < 0 then
    break
  end
  byte = math.floor(place / 8)
  redis.call('SETBIT', KEYS[6], place, 0)
  if redis.call('ZCOUNT', KEYS[3], place, place) == 1 then
    set_present(KEYS[4], place, 1, back)
  end
end
redis.call('DEL', KEYS[6])
log_places(KEYS[7], KEYS[2], '+', back)
return #back
