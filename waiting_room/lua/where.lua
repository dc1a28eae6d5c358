-- Where a fan stands, without changing it.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] calling    zset: subject -> called at
-- KEYS[5] calls      zset: subject -> accept by, ms
-- KEYS[6] active     zset: subject -> end of the admission, ms
-- KEYS[7] admission  hash: subject -> call_id:place:called_at:kind
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] subject    the fan
--
-- Returns: {kind, number, admission} as join.lua does; 'none' when the fan has nothing here.
--
-- Why a script: one consistent look at four sets. Cost: O(1).

-- @include guard
-- @include now

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local now_ms, subject = clock(ARGV[3]), ARGV[4]
local held = redis.call('HGET', KEYS[7], subject) or ''
local ends = tonumber(redis.call('ZSCORE', KEYS[6], subject) or '0')
if ends > now_ms then
  return { 'admitted', int(ends), held }
end
local accept_by = tonumber(redis.call('ZSCORE', KEYS[5], subject) or '0')
if accept_by > now_ms then
  return { 'called', int(accept_by), held }
end
if redis.call('ZSCORE', KEYS[4], subject) then -- called, but not announced: still waiting
  return { 'waiting', string.match(held, ':(%d+):'), '' }
end
local place = redis.call('ZSCORE', KEYS[3], subject)
if place then
  return { 'waiting', int(tonumber(place)), '' }
end
return { 'none', '0', '' }
