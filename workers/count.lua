-- Adds what a worker has counted to what the fleet has, each batch once.
--
-- A field begins with what it is about and \30; that is a kind, \31, and a name, or nothing. Of each
-- kind so many are told apart; those not heard of for a day make way, the rest is counted as `other`.
--
-- KEYS  1 the counters   2 the number of this worker's last batch   3 workers whose rule files do not
--       load   4... of each kind, what is told apart
-- ARGV  1 number of this batch   2 seconds it is remembered   3 prefix of KEYS 4...
--       4 how many of a kind are told apart   5 ms after which one makes way
--       6 seconds all of it lives after the last batch   7 claimant   8 '1' if a rule file of it does
--       not load   then for each field: its name, how much more
-- Answers 'ok', or 'done' (it was added before: the answer to an earlier call was lost).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('GET', KEYS[2]) == ARGV[1] then
  return 'done'
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])

local told = {} -- what is written of each: itself, or its kind's `other`
local gone = {} -- those that have made way
local function tell(subject)
  local kind = string.match(subject, '^[^\31]*')
  local key = ARGV[3] .. kind
  if subject == kind .. '\31other' then
    return subject
  end
  if not redis.call('ZSCORE', key, subject) and redis.call('ZCARD', key) >= tonumber(ARGV[4]) then
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if now - oldest[2] <= tonumber(ARGV[5]) then
      return kind .. '\31other'
    end
    redis.call('ZREM', key, oldest[1])
    gone[oldest[1]] = true
  end
  redis.call('ZADD', key, now, subject)
  return subject
end

local function subject_of(field)
  return string.match(field, '^([^\30]*)\30')
end

for i = 9, #ARGV, 2 do
  local subject = subject_of(ARGV[i])
  if subject ~= '' then
    told[subject] = told[subject] or tell(subject)
  end
end
if next(gone) then -- all at once: there may be thousands of fields, and all else waits
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if gone[subject_of(field)] then
      redis.call('HDEL', KEYS[1], field)
    end
  end
end
for i = 9, #ARGV, 2 do
  local field, more = ARGV[i], ARGV[i + 1]
  local subject = subject_of(field)
  if subject ~= '' then
    field = told[subject] .. string.sub(field, #subject + 1)
  end
  if string.find(more, '^%d+$') then
    redis.call('HINCRBY', KEYS[1], field, more)
  else
    redis.call('HINCRBYFLOAT', KEYS[1], field, more)
  end
end
for i, key in ipairs(KEYS) do
  if i == 1 or i > 3 then
    redis.call('EXPIRE', key, ARGV[6])
  end
end

if ARGV[8] == '1' then
  redis.call('ZADD', KEYS[3], now, ARGV[7])
  redis.call('EXPIRE', KEYS[3], 60)
else
  redis.call('ZREM', KEYS[3], ARGV[7])
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 60000)
return 'ok'
