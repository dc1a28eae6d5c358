-- A hold whose end has moved: its locks, those that are still its own, its record and its index.
local function move_end(s, hold_id, hold, now_ms)
  for _, seat in ipairs(hold.seats) do
    local lock = s.lock .. digits(seat)
    if redis.call('GET', lock) == lock_value(hold_id, hold) then
      redis.call('PEXPIRE', lock, digits(hold['end'] - now_ms))
    end
  end
  save_hold(s, hold_id, hold)
end
