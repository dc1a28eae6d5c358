-- The lobby: subject -> 'entry_id:joined_at_ms'. It closes once, at the opening; after a repair,
-- when calling goes on. From then on it stays as it was fixed until the list is stored, for a node
-- may still be reading it; then a fan leaves it with the step that lays the place. Whoever gives the
-- entry up before, or is called, is among the *departed*.

-- What was fixed when the lobby closed; nil while it is open.
local function draw_of(state_key)
  local v = redis.call('HMGET', state_key, 'draw_entries', 'draw_base', 'drawn_up_to')
  if not v[1] then
    return nil
  end
  local ends = tonumber(v[2]) + tonumber(v[1])
  return { entries = tonumber(v[1]), up_to = tonumber(v[3]), ends = ends }
end

-- Fixes N and numbers all later joins above it, if it is time. Whoever comes first does it.
local function close_lobby(state_key, lobby_key, room, now_ms)
  local draw = draw_of(state_key)
  if draw or now_ms < math.max(room.opens_at_ms, room.resume_at_ms) then
    return draw
  end
  local entries = redis.call('HLEN', lobby_key)
  if entries == 0 and (room.mode == 'off' or not room.draw) then
    return nil
  end
  local base = tonumber(redis.call('HGET', state_key, 'last_place') or '0')
  redis.call('HSET', state_key, 'draw_entries', entries, 'draw_base', int(base),
    'drawn_up_to', int(base), 'last_place', int(base + entries))
  return draw_of(state_key)
end

-- 'entry_id:joined_at_ms' of a fan who is in the lobby; of one without a place, or else the place
-- counts.
local function in_lobby(lobby_key, departed_key, subject)
  local entry = redis.call('HGET', lobby_key, subject)
  if entry and redis.call('SISMEMBER', departed_key, subject) == 0 then
    return entry
  end
  return nil
end

-- The fan gives up the entry, or the place that came of it. Whether there was one.
local function leave_lobby(state_key, lobby_key, departed_key, subject)
  if not in_lobby(lobby_key, departed_key, subject) then
    return false
  end
  if draw_of(state_key) then
    redis.call('SADD', departed_key, subject)
  else
    redis.call('HDEL', lobby_key, subject)
  end
  return true
end
