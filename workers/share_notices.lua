-- Gives every receiver the notices that are new, and takes away those that are too old or too many.
-- What is owed to a receiver that is configured no more is owed to those that have come since: an
-- address that was corrected gets what the wrong one did not take.
--
-- KEYS  1 notices   2 new notices   3 the receivers that have notices
-- ARGV  1 prefix of notices   2 prefix of what a receiver is to be told   3 when a notice is too
--       old, Unix ms   4 how many there may be   5 how many new ones are given now   6 seconds that
--       all of it lives on, if nobody looks again   then the ids of receivers
-- Answers how many were given, how many were too old, too many, and owed to nobody any more.
local NOW = 0 -- a score in the past
local receivers = {unpack(ARGV, 7)}

local function forget(ids)
  for _, id in ipairs(ids) do
    redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
    for _, to in ipairs(receivers) do
      redis.call('ZREM', ARGV[2] .. to, id)
    end
  end
  return #ids
end

local function owe(id, to)
  if redis.call('HSETNX', ARGV[1] .. id, to, 0) == 1 then
    redis.call('ZADD', ARGV[2] .. to, NOW, id)
  end
end

local is_configured, come, left = {}, {}, 0
for _, to in ipairs(receivers) do
  is_configured[to] = true
  if redis.call('SADD', KEYS[3], to) == 1 then
    come[#come + 1] = to
  end
end
for _, gone in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if not is_configured[gone] then
    for _, id in ipairs(redis.call('ZRANGE', ARGV[2] .. gone, 0, -1)) do
      local notice = ARGV[1] .. id
      if redis.call('HEXISTS', notice, 'body') == 1 then
        redis.call('HDEL', notice, gone)
        for _, to in ipairs(come) do
          owe(id, to)
        end
        if redis.call('HLEN', notice) == 1 then
          left = left + forget({id})
        end
      end
    end
    redis.call('DEL', ARGV[2] .. gone)
    redis.call('SREM', KEYS[3], gone)
  end
end
local old = forget(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3], 'LIMIT', 0, 1000))
local excess = math.min(redis.call('ZCARD', KEYS[1]) - ARGV[4], 1000)
local many = 0
if excess > 0 then
  many = forget(redis.call('ZRANGE', KEYS[1], 0, excess - 1))
end
local new = redis.call('ZRANGE', KEYS[2], 0, ARGV[5] - 1)
for _, id in ipairs(new) do
  if redis.call('HEXISTS', ARGV[1] .. id, 'body') == 1 then
    for _, to in ipairs(receivers) do
      owe(id, to)
    end
  end
  redis.call('ZREM', KEYS[2], id)
end
redis.call('EXPIRE', KEYS[3], ARGV[6])
for _, to in ipairs(receivers) do
  redis.call('EXPIRE', ARGV[2] .. to, ARGV[6])
end
return {#new, old, many, left}
