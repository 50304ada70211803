-- Read one cart, and keep it alive.
--
-- KEYS[1]  the session's hash
-- ARGV[1]  the idle time to live, ms
-- ARGV[2]  the newest layout the caller understands
--
-- The touch is left out while more than nine tenths of the time remain: most reads write nothing.

local session, idle = KEYS[1], tonumber(ARGV[1])

local flat = redis.call('HGETALL', session)
if #flat == 0 then
  return {'gone'}
end

local fields = {}
for at = 1, #flat, 2 do
  fields[flat[at]] = flat[at + 1]
end
if tonumber(fields._v) > tonumber(ARGV[2]) then
  return {'skew', fields._v}
end

local left = redis.call('PTTL', session)
if left < idle * 0.9 then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  if tonumber(fields._end) <= now then
    redis.call('DEL', session)
    return {'gone'}
  end
  redis.call('PEXPIRE', session, math.min(idle, tonumber(fields._end) - now))
end

return {'ok', flat}
