-- After the last place: say that the draw is done, so that no node has to look after it any more.
-- Idempotent.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] lobby      hash: empty, once all is laid
-- KEYS[4] departed   set: of use to nobody then
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
--
-- Returns: 1; 0 while places are still to be laid.
--
-- Why a script: it looks before it says so. Cost: O(1), the set is freed on another thread.

-- @include guard
-- @include now
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local draw = draw_of(KEYS[2])
if not draw or draw.up_to < draw.ends then
  return 0
end
redis.call('HSET', KEYS[2], 'drawn', 1)
redis.call('UNLINK', KEYS[3], KEYS[4])
return 1
