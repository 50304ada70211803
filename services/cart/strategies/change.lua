-- Change one cart: one atomic step, so no other request is ever in between.
--
-- KEYS[1]  the session   HASH  _v layout, _rev revision, _end last moment (ms), i:<sku> = quantity,
--                              _own the server that keeps a copy, _epoch how often that changed,
--                              _who the name of who logged in; or only _dead, after login and logout
-- KEYS[2]  the key's record   STRING  the answer that was given, as JSON
-- KEYS[3]  the order     HASH  what a checkout bought
-- ARGV[1]  what is asked, as JSON; absent members stand for "none"
--
-- All that can refuse comes before the first write, since a script that fails half way is not
-- rolled back. The order of the steps is the promise: the record is asked first, so a change that
-- was done is never done twice; then existence, so nothing ever revives an expired cart; and every
-- key that is written gets its time to live in the same step.

local session, record, receipt = KEYS[1], KEYS[2], KEYS[3]
local ask = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function lines_of_cart()
  local flat, lines = redis.call('HGETALL', session), {}
  for at = 1, #flat, 2 do
    if string.sub(flat[at], 1, 2) == 'i:' then
      lines[#lines + 1] = string.sub(flat[at], 3)
      lines[#lines + 1] = tonumber(flat[at + 1])
    end
  end
  return lines
end

-- 0  A dead id gets nothing, not even the answers that it was given.
local head = redis.call('HMGET', session, '_v', '_rev', '_end', '_epoch', '_own', '_who', '_dead')
if head[7] then
  return {'gone'}
end

-- 1  Was this key here before?
if ask.key then
  local stored = redis.call('GET', record)
  if stored then
    if cjson.decode(stored).change ~= ask.change then
      return {'reused'}
    end
    return {'replayed', stored}
  end
end

-- 2  Is there such a cart, in a layout that we understand?
local layout, revision, last = tonumber(head[1]), tonumber(head[2]), tonumber(head[3])
local epoch = tonumber(head[4]) or 0
if not layout then
  if not ask.create then
    return {'gone'}
  end
  layout, revision, last = ask.layout, 0, now + ask.max_ms
elseif layout > ask.layout then
  return {'skew', head[1]}
elseif last <= now then
  redis.call('DEL', session)
  return {'gone'}
end

-- 3  Is it in time, and does who asks know the cart as it is? A request that waited in a frozen
-- store is not done after its shopper was told that it failed. A server with a copy of an older
-- epoch is fenced off: another server has been in charge meanwhile.
if ask.until_ms and now > ask.until_ms then
  return {'late'}
end
if ask.owner and (ask.epoch ~= epoch or ask.owner ~= head[5]) then
  if not ask.claims then
    return {'fenced', tostring(epoch)}
  end
  epoch = epoch + 1
end

-- 4  May it be changed so?
if ask.if_revision and ask.if_revision ~= revision then
  return {'moved', tostring(revision)}
end

local field = 'i:' .. ask.sku
local held = tonumber(redis.call('HGET', session, field) or 0)
local wanted = ({add = held + ask.quantity, put = ask.quantity, remove = 0})[ask.verb]
local order

if ask.verb == 'checkout' then
  order = {id = ask.order_id, revision = revision, lines = lines_of_cart(), total = 0}
  if #order.lines == 0 then
    return {'nothing'}
  end
  for at = 1, #order.lines, 2 do
    order.total = order.total + ask.prices[order.lines[at]] * order.lines[at + 1]
  end
elseif wanted > ask.line_max then
  return {'full', tostring(held)}
end

-- 5  The change. The first write is one that a full store refuses, so it refuses all or nothing.
if order or wanted ~= held then
  revision = revision + 1
end
redis.call('HSET', session, '_v', layout, '_rev', revision, '_end', string.format('%.0f', last))
if ask.owner then
  redis.call('HSET', session, '_own', ask.owner, '_epoch', epoch)
end
if order then
  for at = 1, #order.lines, 2 do
    redis.call('HDEL', session, 'i:' .. order.lines[at])
  end
  redis.call('HSET', receipt, 'revision', order.revision, 'total', string.format('%.0f', order.total),
    'lines', cjson.encode(order.lines), 'state', 'placed')
  redis.call('PEXPIRE', receipt, ask.order_ms)
elseif wanted == 0 then
  redis.call('HDEL', session, field)
elseif wanted ~= held then
  redis.call('HSET', session, field, wanted)
end

-- 6  The time to live, the record.
redis.call('PEXPIRE', session, math.min(ask.idle_ms, last - now))

local answer = cjson.encode({
  change = ask.change, server = ask.server, revision = revision, lines = lines_of_cart(), order = order,
  epoch = epoch, who = head[6] or nil,
})
if ask.key then
  redis.call('SET', record, answer, 'PX', ask.window_ms)
end
return {'ok', answer, now}
