-- A stop counts against nobody: ends are put off while it lasts (put_off.lua), of `calls` and `active`,
-- some seconds ahead. `<which>_off_to` in the state says up to when that is done.

-- Up to when ends are over. What ended later in a stop, while no node was there, is still to be put off.
local function over_by(settings_key, state_key, which, now_ms)
  if redis.call('HGET', settings_key, 'stopped') ~= '1' then
    return now_ms
  end
  local made_good = redis.call('HMGET', state_key, which .. '_off_to', 'stopped_at_ms')
  return math.min(now_ms, math.max(tonumber(made_good[1] or '0'), tonumber(made_good[2] or '0')))
end

-- From when a time that is given now counts: in a stop, from when it is made good already.
local function counts_from(settings_key, state_key, which, now_ms)
  if redis.call('HGET', settings_key, 'stopped') ~= '1' then
    return now_ms
  end
  return math.max(now_ms, tonumber(redis.call('HGET', state_key, which .. '_off_to') or '0'))
end
