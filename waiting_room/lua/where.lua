-- Where fans stand, without changing it.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] calling    zset: subject -> called at
-- KEYS[6] calls      zset: subject -> accept by, ms
-- KEYS[7] active     zset: subject -> end of the admission, ms
-- KEYS[8] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[9] lobby      hash: subject -> entry_id:joined_at_ms
-- KEYS[10] departed   set: who is to be drawn no more
-- KEYS[11..] revoked  string of each subject, in order: why an operator ended what the fan had
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4..] subjects whom to look for
--
-- Returns: for each, in order, {kind, number, admission, revoked} as join.lua does; 'none' when the
--   fan has nothing here, and only then with the reason.
--
-- Why a script: one consistent look at six sets, for many fans. Cost: O(S).

-- @include guard
-- @include now
-- @include lobby
-- @include still

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms = clock(ARGV[3])
local over = over_by(KEYS[2], KEYS[3], 'active', now_ms)
local late = over_by(KEYS[2], KEYS[3], 'calls', now_ms)
local gathered = draw_of(KEYS[3]) and 'drawing' or 'lobby'

local function where(subject, revoked_key)
  local held = redis.call('HGET', KEYS[8], subject)
  if held then
    local ends = tonumber(redis.call('ZSCORE', KEYS[7], subject) or '0')
    if ends > over then
      return { 'admitted', int(ends), held, '' }
    end
    local accept_by = tonumber(redis.call('ZSCORE', KEYS[6], subject) or '0')
    if accept_by > late then
      return { 'called', int(accept_by), held, '' }
    end
    if redis.call('ZSCORE', KEYS[5], subject) then -- called, but not announced: still waiting
      return { 'waiting', string.match(held, ':(%d+):'), '', '' }
    end
  end
  local place = redis.call('ZSCORE', KEYS[4], subject)
  if place then
    return { 'waiting', int(tonumber(place)), '', '' }
  end
  local entry = in_lobby(KEYS[9], KEYS[10], subject)
  if entry then
    return { gathered, '0', entry, '' }
  end
  return { 'none', '0', '', redis.call('GET', revoked_key) or '' }
end

local reply = {}
for i = 4, #ARGV do
  reply[#reply + 1] = where(ARGV[i], KEYS[7 + i])
end
return reply
