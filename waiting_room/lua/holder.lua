-- Who waits at a place.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] place      int >= 1
--
-- Returns: the subject; '' when nobody waits there.
--
-- Why a script: for the check of the epoch. Cost: O(log N).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
return redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[3], ARGV[3])[1] or ''
