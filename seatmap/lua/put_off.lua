-- Put the ends of holds off by as long as the sale stands still.
--
-- KEYS[1] epoch    string: the epoch of this state
-- KEYS[2] states   string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[3] meta     hash: seats, version, fence; off_to: up to when a standstill is made good already
-- KEYS[4] log      stream: id 0-version, field c
-- KEYS[5] holds    hash: hold id -> JSON {subject, seats, fence, end, quote, pinned}
-- KEYS[6] holders  hash: subject -> hold id
-- KEYS[7] ends     zset: hold id -> end, Unix ms
-- KEYS[8] lock     prefix of string keys, one a seat: holdId:fence (decision 0002)
--
-- ARGV[1] epoch_text  the epoch that the caller works in
-- ARGV[2] floor       highest version that the caller has seen, int >= 0
-- ARGV[3] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
-- ARGV[4] since_ms    when the standstill began, Unix ms
-- ARGV[5] until_ms    up to when it is to be made good, Unix ms; also ahead of now
-- ARGV[6] most        holds put off by one call, and those that end with the last, int >= 1
--
-- Returns: JSON {version, moved, left}; left is true while there are more, then call again.
--
-- Why a script: a hold gets the time of a standstill once, whoever calls and however often: off_to
-- only rises, and the next step begins where the last one ended. A step that has begun is gone on
-- with by whoever comes, from the latest end downwards (off_below), so that what was put off is never
-- met again. Locks, record and index change together. A hold that has ended meanwhile is swept first
-- and stays lost. A pinned one is put off with the end that unpin.lua goes back to.
-- Cost: O(most * S) for holds of S seats, and the sweep.

-- @include guard
-- @include change
-- @include sweep
-- @include move

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local now_ms, most = clock_ms(ARGV[3]), tonumber(ARGV[6])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local function answer(moved, left)
  return cjson.encode({ moved = moved, left = left, version = publish(sheet, meta, log) })
end

local function put_off(hold_id, by)
  local hold = find_hold(s, hold_id)
  if not hold then
    return
  end
  hold['end'] = hold['end'] + by
  if hold.pinned > 0 then
    hold.pinned = hold.pinned + by
  end
  move_end(s, hold_id, hold, now_ms)
end

local step = redis.call('HMGET', meta, 'off_to', 'off_by', 'off_below')
local to, by, below = tonumber(step[1] or '0'), tonumber(step[2] or '0'), step[3]
if by == 0 then
  by, below = tonumber(ARGV[5]) - math.max(to, tonumber(ARGV[4])), '+inf'
  to = tonumber(ARGV[5])
  if by <= 0 then
    return answer(0, false)
  end
end

local page = redis.call('ZREVRANGEBYSCORE', s.ends, below, '-inf', 'WITHSCORES', 'LIMIT', 0, most)
local left, last = #page == 2 * most, tonumber(page[#page])
if left then
  page = redis.call('ZREVRANGEBYSCORE', s.ends, below, digits(last), 'WITHSCORES')
end
for i = 1, #page, 2 do
  put_off(page[i], by)
end
if left then
  redis.call('HSET', meta, 'off_to', digits(to), 'off_by', digits(by), 'off_below', digits(last - 1))
else
  redis.call('HSET', meta, 'off_to', digits(to))
  redis.call('HDEL', meta, 'off_by', 'off_below')
end
return answer(#page / 2, left)
