-- Turn the page of who was seen: whoever is on none of the last four pages is away.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] present    bitmap of places: who counts in ranks
-- KEYS[5] scratch    bitmap, only within a script
-- KEYS[6] log        stream of changes
-- KEYS[7..] seen     bitmaps of places, the page of now first
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
--
-- Returns: how many went away; -1 when the page lasts longer.
--
-- A page lasts the grace divided by the pages, and is turned once a call at most: time in which no
-- node ran counts against nobody. Who was seen last on a page is away after the grace at the
-- earliest, and a page later at the latest.
--
-- Why a script: who is away leaves the ranks in the step that finds it out. Cost: O(bytes), 0.2 ms
-- for a million places.

-- @include guard
-- @include now
-- @include log
-- @include pace

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms = clock(ARGV[3])
if tonumber(redis.call('HGET', KEYS[3], 'page_ends_ms') or '0') > now_ms then
  return -1
end
local pages = #KEYS - 6
local ends = now_ms + math.ceil(read_room(KEYS[2]).grace_ms / pages)
redis.call('HSET', KEYS[3], 'page_ends_ms', int(ends))
redis.call('HINCRBY', KEYS[3], 'page', 1)

local before = redis.call('BITCOUNT', KEYS[4])
redis.call('BITOP', 'OR', KEYS[5], unpack(KEYS, 7))
redis.call('BITOP', 'AND', KEYS[5], KEYS[5], KEYS[4])
local after = redis.call('BITCOUNT', KEYS[5])
for i = #KEYS, 8, -1 do
  redis.call('DEL', KEYS[i])
  if redis.call('EXISTS', KEYS[i - 1]) == 1 then
    redis.call('RENAME', KEYS[i - 1], KEYS[i])
  end
end
if after < before then
  redis.call('DEL', KEYS[4])
  redis.call('RENAME', KEYS[5], KEYS[4])
  append(KEYS[6], KEYS[3], 'away', int(before - after))
  redis.call('HSET', KEYS[3], 'reload_at', redis.call('HGET', KEYS[3], 'version'))
else
  redis.call('DEL', KEYS[5])
end
redis.call('HSET', KEYS[3], 'present', after)
return before - after
