-- End one session. What is left is a tombstone, for as long as a key's record might speak of it.
--
-- KEYS[1]  the session's hash
-- ARGV[1]  the tombstone's time to live, ms

local head = redis.call('HMGET', KEYS[1], '_v', '_dead')
if not head[1] or head[2] then
  return {'gone'}
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '_dead', '')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'ok'}
