-- Lay the next places of the draw: out of the lobby, and into the queue with whoever is still there.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] present    bitmap of places
-- KEYS[5] seen0      bitmap of places seen lately
-- KEYS[6] log        stream of changes
-- KEYS[7] lobby      hash: subject -> entry_id:joined_at_ms
-- KEYS[8] departed   set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] first      the place of the first subject, int >= 1
-- ARGV[4] subjects   in order of place, with a space between two; at least one, at most 2,000
--
-- Returns: the place up to which the queue is laid after this call. Another node may have laid these
--   or later ones: go on above the answer.
--
-- Why a script: nobody who left gets a place, nobody is in the lobby and in the queue, and chunks come
-- in order whoever lays them. Everybody laid is present for one grace. Cost: O(S log N), some ms.

-- @include guard
-- @include now
-- @include log
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local draw, first = draw_of(KEYS[2]), tonumber(ARGV[3])
if not draw or first ~= draw.up_to + 1 then
  return int(draw and draw.up_to or 0)
end
local subjects = {} -- as one argument: a thousand take client and server as long again to pass on
for subject in string.gmatch(ARGV[4], '%S+') do
  subjects[#subjects + 1] = subject
end
local departed = redis.call('SMISMEMBER', KEYS[8], unpack(subjects))
redis.call('HDEL', KEYS[7], unpack(subjects))
local last = first + #subjects - 1
local byte_from, byte_to = math.floor(first / 8), math.floor(last / 8)

-- Bits of the range, one number a byte: two commands for thousands of places.
local function bytes_of(bitmap_key)
  local bytes = { string.byte(redis.call('GETRANGE', bitmap_key, byte_from, byte_to), 1, -1) }
  for i = #bytes + 1, byte_to - byte_from + 1 do
    bytes[i] = 0
  end
  return bytes
end

local function write(bitmap_key, bytes)
  for i = 1, #bytes do
    bytes[i] = string.char(bytes[i])
  end
  redis.call('SETRANGE', bitmap_key, byte_from, table.concat(bytes))
end

local present, seen, queued, laid = bytes_of(KEYS[4]), bytes_of(KEYS[5]), {}, {}
for i = 1, #subjects do
  if departed[i] == 0 then
    local place = first + i - 1
    local at, mask = math.floor(place / 8) - byte_from + 1, 2 ^ (7 - place % 8)
    queued[#queued + 1], queued[#queued + 2] = place, subjects[i]
    seen[at] = bit.bor(seen[at], mask)
    if bit.band(present[at], mask) == 0 then
      present[at] = present[at] + mask
      laid[#laid + 1] = place
    end
  end
end
if #queued > 0 then
  write(KEYS[4], present)
  write(KEYS[5], seen)
  redis.call('ZADD', KEYS[3], unpack(queued))
end
log_places(KEYS[6], KEYS[2], '+', laid)
redis.call('HSET', KEYS[2], 'drawn_up_to', int(last))
return int(last)
