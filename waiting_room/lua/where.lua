-- Where fans stand, without changing it.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] calling    zset: subject -> called at
-- KEYS[5] calls      zset: subject -> accept by, ms
-- KEYS[6] active     zset: subject -> end of the admission, ms
-- KEYS[7] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[8] lobby      hash: subject -> entry_id:joined_at_ms
-- KEYS[9] departed   set: who is to be drawn no more
-- KEYS[10..] revoked  string of each subject, in order: why an operator ended what the fan had
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

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local now_ms = clock(ARGV[3])
local gathered = draw_of(KEYS[2]) and 'drawing' or 'lobby'

local function where(subject, revoked_key)
  local held = redis.call('HGET', KEYS[7], subject)
  if held then
    local ends = tonumber(redis.call('ZSCORE', KEYS[6], subject) or '0')
    if ends > now_ms then
      return { 'admitted', int(ends), held, '' }
    end
    local accept_by = tonumber(redis.call('ZSCORE', KEYS[5], subject) or '0')
    if accept_by > now_ms then
      return { 'called', int(accept_by), held, '' }
    end
    if redis.call('ZSCORE', KEYS[4], subject) then -- called, but not announced: still waiting
      return { 'waiting', string.match(held, ':(%d+):'), '', '' }
    end
  end
  local place = redis.call('ZSCORE', KEYS[3], subject)
  if place then
    return { 'waiting', int(tonumber(place)), '', '' }
  end
  local entry = in_lobby(KEYS[8], KEYS[9], subject)
  if entry then
    return { gathered, '0', entry, '' }
  end
  return { 'none', '0', '', redis.call('GET', revoked_key) or '' }
end

local reply = {}
for i = 4, #ARGV do
  reply[#reply + 1] = where(ARGV[i], KEYS[6 + i])
end
return reply
