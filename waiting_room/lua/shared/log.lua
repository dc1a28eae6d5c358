-- The log that nodes follow: one entry a change, numbered by `version` in the state hash.
local LOG_MAX = 20000

local function append(log_key, state_key, field, value)
  local version = redis.call('HINCRBY', state_key, 'version', 1)
  redis.call('XADD', log_key, 'MAXLEN', '~', LOG_MAX, '0-' .. int(version), field, value)
end

-- A place is counted in ranks while its bit is 1. Appends only on a change.
local function set_present(present_key, log_key, state_key, place, bit)
  if redis.call('SETBIT', present_key, place, bit) ~= bit then
    append(log_key, state_key, bit == 1 and '+' or '-', place)
  end
end
