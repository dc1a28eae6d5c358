-- Read a part of the closed lobby. Nobody enters or leaves it any more, so that parts read one
-- after another make the whole list; a line may come twice, as with HSCAN.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] lobby      hash: subject -> entry_id:joined_at_ms
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] cursor     of HSCAN, '0' at first
-- ARGV[4] count      about how many lines, int >= 1
--
-- Returns: {next cursor, {subject, entry, …}}; the cursor '0' says that this was the last part.
--
-- Why a script: all parts are of one epoch. Cost: O(count).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
return redis.call('HSCAN', KEYS[3], ARGV[3], 'COUNT', ARGV[4])
