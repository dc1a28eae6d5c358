-- Accept a call: from then on the fan may shop. Idempotent while the admission lives.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] calls      zset: subject -> accept by, ms
-- KEYS[5] active     zset: subject -> end of the admission, ms
-- KEYS[6] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[7] log        stream of changes: tabs on other nodes are told
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] subject    the fan
--
-- Returns: {end_ms, admission}; {} when the fan is not called or the call has lapsed.
--
-- Why a script: leaves one set and enters the other in one step. Cost: O(log N).

-- @include guard
-- @include now
-- @include log
-- @include pace
-- @include still

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms, subject = clock(ARGV[3]), ARGV[4]
local ends = tonumber(redis.call('ZSCORE', KEYS[5], subject) or '0')
if ends <= over_by(KEYS[2], KEYS[3], 'active', now_ms) then
  local accept_by = tonumber(redis.call('ZSCORE', KEYS[4], subject) or '0')
  if accept_by <= over_by(KEYS[2], KEYS[3], 'calls', now_ms) then
    return {}
  end
  ends = counts_from(KEYS[2], KEYS[3], 'active', now_ms) + read_room(KEYS[2]).shop_ms
  redis.call('ZREM', KEYS[4], subject)
  redis.call('ZADD', KEYS[5], int(ends), subject)
  redis.call('HINCRBY', KEYS[3], 'accepted', 1)
  append(KEYS[7], KEYS[3], 'accept', subject)
end
return { int(ends), redis.call('HGET', KEYS[6], subject) or '' }
