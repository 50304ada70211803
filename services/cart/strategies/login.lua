-- Move one cart to another id: in one atomic step the new id has it and the old one is dead.
--
-- KEYS[1]  the session   HASH, see change.lua; it becomes a tombstone, _dead = the id it moved to
-- KEYS[2]  the same under the id it moves to, on the same node of a cluster; with ``fresh`` the same key
-- ARGV[1]  what is asked, as JSON
--
-- Sent again with its key it finds the tombstone of the first time, and gets the same cart.

local old, new = KEYS[1], KEYS[2]
local ask = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function answer()
  local flat, lines, head = redis.call('HGETALL', new), {}, {}
  for at = 1, #flat, 2 do
    if string.sub(flat[at], 1, 2) == 'i:' then
      lines[#lines + 1] = string.sub(flat[at], 3)
      lines[#lines + 1] = tonumber(flat[at + 1])
    else
      head[flat[at]] = flat[at + 1]
    end
  end
  return cjson.encode({
    server = ask.server, revision = tonumber(head._rev), lines = lines, who = head._who,
    epoch = tonumber(head._epoch or 0),
  })
end

if not ask.fresh then
  local head = redis.call('HMGET', old, '_v', '_end', '_dead')
  if head[3] then
    local who = head[3] == ask.to and ask.keyed and redis.call('HGET', new, '_who')
    if not who then
      return {'gone'}
    elseif who ~= ask.who then
      return {'reused'}
    end
    return {'replayed', answer()}
  elseif not head[1] then
    return {'gone'}
  elseif tonumber(head[1]) > ask.layout then
    return {'skew', head[1]}
  elseif tonumber(head[2]) <= now then
    redis.call('DEL', old)
    return {'gone'}
  end
end

-- The first write is one that a full store refuses: all or nothing.
local last
if ask.fresh then
  last = now + ask.max_ms
  redis.call('HSET', new, '_v', ask.layout, '_rev', 0, '_end', string.format('%.0f', last), '_who', ask.who)
else
  last = tonumber(redis.call('HGET', old, '_end'))
  redis.call('HSET', old, '_who', ask.who)
  redis.call('RENAME', old, new)
  redis.call('HSET', old, '_dead', ask.to)
  redis.call('PEXPIRE', old, ask.dead_ms)
end
if ask.owner then
  redis.call('HINCRBY', new, '_epoch', 1)
  redis.call('HSET', new, '_own', ask.owner)
end
redis.call('PEXPIRE', new, math.min(ask.idle_ms, last - now))
return {'ok', answer(), now}
