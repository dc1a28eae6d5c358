-- A call whose accept window ran out ends here, once, whoever finds it first.
local function lapse(calls_key, admission_key, state_key, log_key, subject)
  if redis.call('ZREM', calls_key, subject) == 1 then
    local admission = redis.call('HGET', admission_key, subject) or ''
    redis.call('HDEL', admission_key, subject)
    redis.call('HINCRBY', state_key, 'lapsed', 1)
    append(log_key, state_key, 'lapsed', subject .. ':' .. admission)
  end
end
