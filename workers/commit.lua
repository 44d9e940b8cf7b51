-- Writes what a holder has decided or done, if it still holds the room. One script, so that an
-- event leaves the inbox in the same moment as its decisions, claims and the room's new record
-- arrive, and so that no limit is ever passed. Every write renews the lease.
--
-- KEYS  1 room   2 inbox   3 due   4 live rooms   5 history   6 routes
-- ARGV  1 room key   2 token   3 lease in ms   4 id of the first event taken, or ''   5 how many
--       are taken   6 record or '' to leave it   7 how many dispatches begin, go on or cease to
--       count to a limit   8 seconds each counts, if its room is not heard of again   9 '1' if the
--       record's session is live, '0' if not   10 how many inbox entries follow   11 how many
--       documents   12 prefix of the minutes' counters
--       then for each dispatch that counts: key of the limit, its id, how many there may be, '+'
--       where it goes on, '' where it ceases
--       then the entries that come first in the inbox now
--       then for each document: key, JSON, its score in ms, its place, key of the list of its room
--       or '', key of its index (or the prefix of those by state and route), its state or '', the
--       state it is listed under or '', its route
--       then for each note: how many words it has, a command and its arguments
-- Answers 'ok', 'done' (these were taken before: the answer to an earlier call was lost),
--   'fenced' (another holds the room, or it is gone; nothing was written), or, with nothing written,
--   for each dispatch in turn how many count already, where one that begins would be too many.
local BESIDE = 200 -- bytes that a document takes beside its text and twice its place, about
local ROUTES = 512 -- so many are told apart; a rule whose agent is a caller's word could make more
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then
  return 'fenced'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('LINDEX', KEYS[2], 0)
if ARGV[4] ~= '' and (not head or string.match(head, '^[^\n]*') ~= ARGV[4]) then
  return 'done'
end
local counted_from = 13
local entries = counted_from + 3 * ARGV[7]
local documents = entries + ARGV[10]
local notes = documents + 9 * ARGV[11]
local counts, seen, over = {}, {}, false
for i = counted_from, entries - 1, 3 do
  local limit, most = ARGV[i], ARGV[i + 2]
  counts[limit] = counts[limit] or redis.call('ZCOUNT', limit, '(' .. now, '+inf')
  local counted = tonumber(redis.call('ZSCORE', limit, ARGV[i + 1]) or now) > now
  seen[#seen + 1] = counts[limit]
  if most == '' and counted then
    counts[limit] = counts[limit] - 1
  elseif most ~= '' and not counted then
    counts[limit] = counts[limit] + 1
    over = over or (most ~= '+' and counts[limit] > tonumber(most))
  end
end
if over then
  return seen
end
for i = counted_from, entries - 1, 3 do
  if ARGV[i + 2] == '' then
    redis.call('ZREM', ARGV[i], ARGV[i + 1])
  else
    redis.call('ZADD', ARGV[i], now + ARGV[8] * 1000, ARGV[i + 1])
    redis.call('EXPIRE', ARGV[i], ARGV[8])
  end
  redis.call('ZREMRANGEBYSCORE', ARGV[i], '-inf', now)
end
local grown, begun, failed = 0, 0, 0
for i = documents, notes - 1, 9 do
  local key, place, index, state, before = ARGV[i], ARGV[i + 3], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local size = redis.call('STRLEN', key)
  redis.call('SET', key, ARGV[i + 1])
  grown = grown + #ARGV[i + 1] - size
  if size == 0 then
    grown = grown + 2 * #place + BESIDE
    if ARGV[i + 4] ~= '' then
      redis.call('RPUSH', ARGV[i + 4], place)
    end
  end
  if state ~= '' then
    local route = ARGV[i + 8]
    if before ~= '' and redis.call('ZREM', index .. before .. ':' .. route, place) == 0 then
      redis.call('ZREM', index .. before .. ':', place)
    end
    if redis.call('ZSCORE', KEYS[6], route) or redis.call('ZCARD', KEYS[6]) < ROUTES then
      redis.call('ZADD', KEYS[6], now, route)
    else
      route = ''
    end
    index = index .. state .. ':' .. route
    begun = begun + (size == 0 and 1 or 0)
    failed = failed + (state == 'failed' and before ~= 'failed' and 1 or 0)
  end
  redis.call('ZADD', index, ARGV[i + 2], place)
end
if grown ~= 0 then
  redis.call('HINCRBY', KEYS[5], 'bytes', grown)
end
local minute = ARGV[12] .. math.floor(now / 60000)
local events = ARGV[4] ~= '' and tonumber(ARGV[5]) or 0
for field, count in pairs({events = events, dispatches = begun, failed = failed}) do
  if count > 0 then
    redis.call('HINCRBY', minute, field, count)
    redis.call('EXPIRE', minute, 7200)
  end
end
while notes < #ARGV do
  local words = tonumber(ARGV[notes])
  redis.pcall(unpack(ARGV, notes + 1, notes + words))
  notes = notes + words + 1
end
if ARGV[4] ~= '' then
  redis.call('LPOP', KEYS[2], ARGV[5])
end
for i = documents - 1, entries, -1 do
  redis.call('LPUSH', KEYS[2], ARGV[i])
end
if ARGV[4] ~= '' then
  head = redis.call('LINDEX', KEYS[2], 0)
  redis.call('HSET', KEYS[1], 'trying', head and string.match(head, '^[^\n]*') or '', 'tries', 1)
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'record', ARGV[6])
  if ARGV[9] == '1' then
    redis.call('ZADD', KEYS[4], now, ARGV[1])
  else
    redis.call('ZREM', KEYS[4], ARGV[1])
  end
end
local until_ = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'until', until_)
redis.call('ZADD', KEYS[3], until_, ARGV[1])
return 'ok'
