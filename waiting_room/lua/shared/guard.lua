-- The epoch check that every script begins with. Nil when the caller may go on.
local function stale(epoch_key, epoch, state_key, floor)
  if redis.call('GET', epoch_key) ~= epoch then
    return redis.error_reply('STALE epoch')
  end
  if tonumber(redis.call('HGET', state_key, 'version') or '0') < tonumber(floor) then
    return redis.error_reply('STALE behind')
  end
  return nil
end
