-- Seat states and their log, changed together. A script collects its changes in a *sheet* and
-- publishes it once, at its end: one version, one log entry, however many seats.

local LOG_ENTRIES = '10000' -- kept, about: a client further behind gets a snapshot

local function new_sheet(states)
  return { states = states, seats = {}, before = {} }
end

local function state_of(sheet, seat)
  return redis.call('GETRANGE', sheet.states, seat, seat)
end

local function put(sheet, seat, state)
  local now = state_of(sheet, seat)
  if now == state then
    return
  end
  if not sheet.before[seat] then
    sheet.before[seat] = now
    sheet.seats[#sheet.seats + 1] = seat
  end
  redis.call('SETRANGE', sheet.states, seat, state)
end

-- The version after this script's changes; it stays when nothing changed in the end.
local function publish(sheet, meta, log)
  local changes = {}
  for _, seat in ipairs(sheet.seats) do
    local state = state_of(sheet, seat)
    if state ~= sheet.before[seat] then
      changes[#changes + 1] = struct.pack('>I4', seat * 256 + string.byte(state))
    end
  end
  if #changes == 0 then
    return tonumber(redis.call('HGET', meta, 'version') or '0')
  end
  local version = redis.call('HINCRBY', meta, 'version', 1)
  local id = '0-' .. digits(version)
  redis.call('XADD', log, 'MAXLEN', '~', LOG_ENTRIES, id, 'c', table.concat(changes))
  return version
end
