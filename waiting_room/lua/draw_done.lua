-- After the last place: clear the lobby away, a part each call, and then say that the draw is done, so
-- that no node has to look after it any more. Idempotent.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] lobby      hash: of use to nobody once all is laid
-- KEYS[4] departed   set: likewise
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] cursor     of HSCAN, '0' at first
-- ARGV[4] count      about how many to take out, int >= 1
--
-- Returns: {next cursor, done}: done is 1 at the end; the cursor '0' before it says that places are
--   still to be laid.
--
-- Why a script: it looks before it says so. In parts, since to free a million at once, though it be
-- on another thread, holds Redis up for 100 ms. Cost: O(count).

-- @include guard
-- @include now
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local draw = draw_of(KEYS[2])
if not draw or draw.up_to < draw.ends then
  return { '0', 0 }
end
local found, subjects = redis.call('HSCAN', KEYS[3], ARGV[3], 'COUNT', ARGV[4]), {}
for i = 1, #found[2], 2 do
  subjects[#subjects + 1] = found[2][i]
end
if #subjects > 0 then
  redis.call('HDEL', KEYS[3], unpack(subjects))
end
if found[1] ~= '0' then
  return { found[1], 0 }
end
redis.call('HSET', KEYS[2], 'drawn', 1)
redis.call('UNLINK', KEYS[3], KEYS[4])
return { '0', 1 }
