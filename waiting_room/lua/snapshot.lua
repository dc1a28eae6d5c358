-- The bitmap of present places and the version it belongs to.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] present    bitmap of places
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
--
-- Returns: {version, bitmap}. A million places are 125 kB.
--
-- Why a script: bitmap and version are of one moment. Cost: O(bytes).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
return { redis.call('HGET', KEYS[2], 'version') or '0', redis.call('GET', KEYS[3]) or '' }
