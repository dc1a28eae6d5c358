-- The room's settings, and the pace as a token bucket counted in exact integers: `per_minute`
-- times elapsed ms. One fan is 60,000 units, so a tick every 7 ms and one every second admit alike.
-- Where the pace binds, a late tick is made up for; where something else does, little is saved.
local FAN = 60000
local BURST_MS = 250
local CATCH_UP_MS = 3000

local function read_room(settings_key)
  local v = redis.call('HMGET', settings_key, 'mode', 'per_minute', 'max_active', 'accept_ms',
    'shop_ms', 'grace_ms', 'paused', 'opens_at_ms', 'ceiling', 'resume_at_ms', 'intake', 'stopped',
    'draw', 'lobby_opens_at_ms')
  return {
    mode = v[1], per_minute = tonumber(v[2]), max_active = tonumber(v[3]),
    accept_ms = tonumber(v[4]), shop_ms = tonumber(v[5]), grace_ms = tonumber(v[6]),
    paused = v[7] == '1', opens_at_ms = tonumber(v[8]), ceiling = tonumber(v[9]),
    resume_at_ms = tonumber(v[10] or '0'), intake = v[11] or 'open', stopped = v[12] == '1',
    draw = v[13] == '1', lobby_opens_at_ms = tonumber(v[14] or '0'),
  }
end

local function earned(state_key, room, now_ms)
  local v = redis.call('HMGET', state_key, 'tokens', 'tokens_at_ms', 'pace_binds')
  local since = tonumber(v[2] or now_ms)
  local most = math.max(FAN, room.per_minute * (v[3] == '1' and CATCH_UP_MS or BURST_MS))
  local tokens = tonumber(v[1] or FAN) + -- a new room lets its first fan in at once
    math.max(0, now_ms - since) * room.per_minute
  return math.min(most, tokens)
end

local function save_tokens(state_key, tokens, now_ms)
  redis.call('HSET', state_key, 'tokens', int(tokens), 'tokens_at_ms', int(now_ms))
end
