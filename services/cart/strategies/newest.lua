-- Which revision of a carried cart is the newest: the one thing that its shopper cannot be asked.
--
-- KEYS[1]  the session's newest   HASH  rev revision, 'dead' after login or logout; key that made it
-- ARGV[1]  the revision that was carried here    ARGV[2]  the revision to move to, 'dead', or '' for a look
-- ARGV[3]  the change's key, '' for none         ARGV[4]  time to live, ms
--
-- The one revision before the newest is taken again with the key that made the newest: its answer
-- was lost on the way, and the same change of the same cart comes to the same cart.

local newest = redis.call('HMGET', KEYS[1], 'rev', 'key')
local carried = tonumber(ARGV[1])
local is_retry = ARGV[3] ~= '' and newest[2] == ARGV[3]
if newest[1] == 'dead' and not is_retry then
  return {'gone'}
end
local rev = tonumber(newest[1] or 0) or 0
if carried < rev and not is_retry then
  return {'old', tostring(rev)}
end
if ARGV[2] ~= '' and not is_retry then
  redis.call('HSET', KEYS[1], 'rev', ARGV[2], 'key', ARGV[3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'ok'}
