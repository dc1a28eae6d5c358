-- Bring the end of an admission forward: after a booking, by a shop. Never puts it off.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] active     zset: subject -> end of the admission, Unix ms
-- KEYS[5] admission  hash: subject -> call_id:place:called_at:kind
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] subject    the fan
-- ARGV[5] call_id    of the admission to end
-- ARGV[6] after_ms   how long it may still last, ms, int >= 0
--
-- Returns: the end in Unix ms, '' when the fan has no admission or a later one.
--
-- Why a script: between a look at the admission and its end the fan may have left and come in
-- again, and the clock that decides is Redis' own. Cost: O(log N).

-- @include guard
-- @include now
-- @include still

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local held = redis.call('HGET', KEYS[5], ARGV[4])
if not held or string.match(held, '^[^:]*') ~= ARGV[5] then
  return ''
end
local now_ms, after_ms = clock(ARGV[3]), tonumber(ARGV[6])
-- At once is when nothing puts it off any more, also in a stop that is not made good up to now.
local at = after_ms > 0 and now_ms + after_ms or over_by(KEYS[2], KEYS[3], 'active', now_ms)
redis.call('ZADD', KEYS[4], 'XX', 'LT', int(at), ARGV[4])
local ends = redis.call('ZSCORE', KEYS[4], ARGV[4])
return ends and int(tonumber(ends)) or ''
