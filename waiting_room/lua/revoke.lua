-- End whatever a fan has here, because an operator wants it, and keep the reason for the fan.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] calling    zset: subject -> called at
-- KEYS[5] calls      zset: subject -> accept by
-- KEYS[6] active     zset: subject -> end of the admission
-- KEYS[7] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[8] present    bitmap of places
-- KEYS[9] log       stream of changes
-- KEYS[10] revoked   string of this fan: the reason, gone after keep_ms
-- KEYS[11] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[12] departed  set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] subject    the fan
-- ARGV[4] reason     as the fan reads it
-- ARGV[5] keep_ms    how long the fan is told of it, ms, int >= 1
--
-- Returns: the admission that ended, '' if there was none. Safe to repeat.
--
-- Why a script: no moment in which the fan is in no set and in a rank. The gate asks for the
-- admission at each call, so a pass is worth nothing from here on. Cost: O(log N).

-- @include guard
-- @include now
-- @include log
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local subject, ended = ARGV[3], false
local place = redis.call('ZSCORE', KEYS[3], subject)
if place then
  redis.call('ZREM', KEYS[3], subject)
  local left = {}
  set_present(KEYS[8], tonumber(place), 0, left)
  log_places(KEYS[9], KEYS[2], '-', left)
  ended = true
end
if leave_lobby(KEYS[2], KEYS[11], KEYS[12], subject) then
  ended = true
end
local admission = ''
local turn = redis.call('ZREM', KEYS[4], subject) + redis.call('ZREM', KEYS[5], subject)
  + redis.call('ZREM', KEYS[6], subject)
if turn > 0 then
  admission = redis.call('HGET', KEYS[7], subject) or ''
  redis.call('HDEL', KEYS[7], subject)
  ended = true
end
if ended then
  redis.call('SET', KEYS[10], ARGV[4], 'PX', ARGV[5])
  redis.call('HINCRBY', KEYS[2], 'revoked', 1)
  append(KEYS[9], KEYS[2], 'leave', subject) -- the fan's tabs are told, on every node
end
return admission
