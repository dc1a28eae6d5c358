-- The clock and the check with which every script begins.

-- Unix ms: the number given, else Redis' own clock.
local function clock_ms(given)
  local now_ms = tonumber(given)
  if now_ms then
    return now_ms
  end
  local time = redis.call('TIME') -- {seconds, microseconds}
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Numbers for commands: '%.0f', not '..', which prints 14 digits at most.
local function digits(number)
  return string.format('%.0f', number)
end

-- nil, or the error to return. `STALE epoch`: another generation, read it again. `STALE behind`:
-- the epoch is right, but this server has forgotten versions that the caller has seen.
local function stale(epoch_key, meta, epoch, floor)
  if redis.call('GET', epoch_key) ~= epoch then
    return redis.error_reply('STALE epoch')
  end
  if tonumber(redis.call('HGET', meta, 'version') or '0') < tonumber(floor) then
    return redis.error_reply('STALE behind')
  end
  return nil
end
