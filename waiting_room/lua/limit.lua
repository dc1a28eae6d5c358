-- Count a join of an address, unless its site or its neighbourhood has had its share.
--
-- KEYS[1] site           string: when the site's share is whole again, Unix µs
-- KEYS[2] neighbourhood  string: likewise
--
-- ARGV[1] now_ms                Unix ms; '' takes Redis' own clock
-- ARGV[2] window_ms             in which the shares below are given out, ms, int >= 1
-- ARGV[3] site_share            joins in a window, int >= 0; 0 for no limit
-- ARGV[4] neighbourhood_share   likewise
--
-- Returns: {'', 0} and the join is counted; or {'site' | 'neighbourhood', ms to wait} and it is not.
--
-- Why a script: two nodes that both read "one join left" would otherwise both give it.
-- Cost: O(1), 100 bytes a key for as long as its share is not whole.
--
-- The generic cell rate algorithm (ITU-T I.371): a share is a bucket that holds all of it and is
-- refilled evenly, kept as one instant.

-- @include now

local now_us = clock(ARGV[1]) * 1000
local window_us = tonumber(ARGV[2]) * 1000
local buckets = {
  { name = 'site', key = KEYS[1], share = tonumber(ARGV[3]) },
  { name = 'neighbourhood', key = KEYS[2], share = tonumber(ARGV[4]) },
}

for _, bucket in ipairs(buckets) do
  if bucket.share > 0 then
    local whole_at = math.max(tonumber(redis.call('GET', bucket.key) or '0'), now_us)
    local at = whole_at + window_us / bucket.share
    if at - now_us > window_us + 1 then -- µs are rounded when they are written
      return { bucket.name, math.ceil((at - now_us - window_us) / 1000) }
    end
    bucket.at = at
  end
end
for _, bucket in ipairs(buckets) do
  if bucket.at then
    local life_ms = math.ceil((bucket.at - now_us) / 1000)
    redis.call('SET', bucket.key, int(bucket.at), 'PX', int(life_ms))
  end
end
return { '', 0 }
