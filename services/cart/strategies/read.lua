-- Read one cart, and keep it alive.
--
-- KEYS[1]  the session's hash
-- ARGV[1]  the idle time to live, ms
-- ARGV[2]  the newest layout the caller understands
-- ARGV[3]  epoch and revision of the caller's copy, 'epoch:revision'; '' when it has none
--
-- The touch is left out while more than nine tenths of the time remain: most reads write nothing.

local session, idle = KEYS[1], tonumber(ARGV[1])

local flat = redis.call('HGETALL', session)
if #flat == 0 then
  return {'gone'}
end

local layout, revision, last, who
local epoch = 0
local lines = {}
for at = 1, #flat, 2 do
  local name, value = flat[at], tonumber(flat[at + 1])
  if name == '_v' then
    layout = value
  elseif name == '_rev' then
    revision = value
  elseif name == '_end' then
    last = value
  elseif name == '_epoch' then
    epoch = value
  elseif name == '_who' then
    who = flat[at + 1]
  elseif name == '_dead' then
    return {'gone'}
  elseif string.sub(name, 1, 2) == 'i:' then
    lines[#lines + 1] = string.sub(name, 3)
    lines[#lines + 1] = value
  end
end
if layout > tonumber(ARGV[2]) then
  return {'skew', tostring(layout)}
end

if redis.call('PTTL', session) < idle * 0.9 then
  local clock = redis.call('TIME')
  local left = last - clock[1] * 1000 - math.floor(clock[2] / 1000)
  if left <= 0 then
    redis.call('DEL', session)
    return {'gone'}
  end
  redis.call('PEXPIRE', session, math.min(idle, left))
end

if ARGV[3] == epoch .. ':' .. revision then
  return {'same'}
end
return {'ok', cjson.encode({revision = revision, lines = lines, epoch = epoch, who = who})}
