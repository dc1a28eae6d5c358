-- Give up whatever the fan has here: entry, place, call or admission.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] calling    zset: subject -> called at
-- KEYS[5] calls      zset: subject -> accept by
-- KEYS[6] active     zset: subject -> end of the admission
-- KEYS[7] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[8] present    bitmap of places
-- KEYS[9] log        stream of changes
-- KEYS[10] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[11] departed  set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] subject    the fan
--
-- Returns: the admission that ended, '' if there was none. Safe to repeat.
--
-- Why a script: no moment in which the fan is in no set and in a rank. Cost: O(log N).

-- @include guard
-- @include now
-- @include log
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local subject = ARGV[3]
local place = redis.call('ZSCORE', KEYS[3], subject)
if place then
  local left = {}
  redis.call('ZREM', KEYS[3], subject)
  set_present(KEYS[8], tonumber(place), 0, left)
  log_places(KEYS[9], KEYS[2], '-', left)
end
if redis.call('ZREM', KEYS[4], subject) + redis.call('ZREM', KEYS[5], subject) > 0 then
  redis.call('HINCRBY', KEYS[2], 'lapsed', 1) -- a call declined is replaced as one that lapsed is
end
redis.call('ZREM', KEYS[6], subject)
local admission = redis.call('HGET', KEYS[7], subject) or ''
redis.call('HDEL', KEYS[7], subject)
local gathered = leave_lobby(KEYS[2], KEYS[10], KEYS[11], subject)
if place or gathered or admission ~= '' then
  append(KEYS[9], KEYS[2], 'leave', subject) -- tabs on other nodes are told
end
return admission
