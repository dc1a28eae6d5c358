-- The log that nodes follow: one entry a change, numbered by `version` in the state hash.
local LOG_MAX = 20000

local function append(log_key, state_key, field, value)
  local version = redis.call('HINCRBY', state_key, 'version', 1)
  redis.call('XADD', log_key, 'MAXLEN', '~', LOG_MAX, '0-' .. int(version), field, value)
end

-- A place is counted in ranks while its bit is 1. If that is news, it goes into `changed`.
local function set_present(present_key, place, bit, changed)
  if redis.call('SETBIT', present_key, place, bit) ~= bit then
    changed[#changed + 1] = tonumber(place)
  end
end

-- '7 9-12': places in runs, as they come. A batch of joins is one run.
local function runs_of(places)
  local runs, first = {}, 1
  for i = 1, #places do
    if places[i + 1] ~= places[i] + 1 then
      runs[#runs + 1] = int(places[first]) .. (first < i and '-' .. int(places[i]) or '')
      first = i + 1
    end
  end
  return table.concat(runs, ' ')
end

-- All places that one script brought into the ranks ('+') or took out ('-') are one entry.
local function log_places(log_key, state_key, field, changed)
  if #changed > 0 then
    redis.call('HINCRBY', state_key, 'present', field == '+' and #changed or -#changed)
    append(log_key, state_key, field, runs_of(changed))
  end
end
