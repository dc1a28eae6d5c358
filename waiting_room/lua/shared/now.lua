-- Redis' own clock in Unix ms; tests pass a number instead.
local function clock(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- '%.0f', not '..': Lua prints numbers with 14 digits.
local function int(number)
  return string.format('%.0f', number)
end
