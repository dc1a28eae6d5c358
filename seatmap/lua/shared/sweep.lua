-- Ending holds. `s` has the key names: holds, holders, ends, lock (a prefix, see hold.lua).

local SWEEP_HOLDS = 100 -- a call; what is left waits for the next script

local function find_hold(s, hold_id)
  local json = redis.call('HGET', s.holds, hold_id)
  return json and cjson.decode(json)
end

local function save_hold(s, hold_id, hold)
  redis.call('HSET', s.holds, hold_id, cjson.encode(hold))
  redis.call('ZADD', s.ends, digits(hold['end']), hold_id)
end

local function lock_value(hold_id, hold)
  return hold_id .. ':' .. hold.fence
end

-- Forget a hold and free those of its seats that are still its own: a lock may have ended by
-- Redis' own clock and be somebody else's by now, a seat may be claimed.
local function drop(s, sheet, hold_id, hold)
  for _, seat in ipairs(hold.seats) do
    local lock = s.lock .. digits(seat)
    local owner = redis.call('GET', lock)
    if owner == lock_value(hold_id, hold) then
      redis.call('DEL', lock)
      owner = false
    end
    if not owner and state_of(sheet, seat) == '1' then
      put(sheet, seat, '0')
    end
  end
  redis.call('HDEL', s.holds, hold_id)
  redis.call('ZREM', s.ends, hold_id)
  if redis.call('HGET', s.holders, hold.subject) == hold_id then
    redis.call('HDEL', s.holders, hold.subject)
  end
end

-- A hold is live while now < end, so one that ends now is swept.
local function sweep(s, sheet, now_ms)
  local ended =
    redis.call('ZRANGEBYSCORE', s.ends, '-inf', digits(now_ms), 'LIMIT', 0, SWEEP_HOLDS)
  for _, hold_id in ipairs(ended) do
    local hold = find_hold(s, hold_id)
    if hold then
      drop(s, sheet, hold_id, hold)
    else
      redis.call('ZREM', s.ends, hold_id)
    end
  end
end

-- Ms until the next hold ends, as text; '' when there is none.
local function next_end(s, now_ms)
  local first = redis.call('ZRANGE', s.ends, 0, 0, 'WITHSCORES')
  return first[2] and digits(tonumber(first[2]) - now_ms) or ''
end
