-- Takes rooms that are due under a lease each.
--
-- A leased room stays in the due-queue, due when its lease ends: if its holder dies it is simply
-- due again. A room of which two leases have ended in a crash or an exception is a suspect, and
-- suspects are handed out one at a time, so that an event that kills its worker is not mistaken
-- for the others that were in flight beside it.
--
-- What a claim took is remembered until the claimant's next one: if the answer was lost, nobody
-- holds those rooms, and they are due again at once without a try counted.
--
-- KEYS  1 due   2 wake   3 this claimant's last claim   4 who looks for work, and when last
--       5 the rules that are paused
-- ARGV  1 prefix of room hashes   2 prefix of inboxes   3 lease in ms   4 most rooms
--       5 most events of each     6 most suspects       7 claimant
--       8 how many answers the claimant has had   9 what the claimant tells of itself
--       10 prefix of the notes of tokens
-- Answers {now in ms, when the next room is due in ms or '', {room...}, {paused rule...}}; a room is
--   {room key, token, tries, record or '', {entry...}, how many entries there are, 1 if join tokens
--   with agents may be in use there}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local worker = ARGV[7] .. ':' .. ARGV[9]
local seen = tonumber(redis.call('ZSCORE', KEYS[4], worker) or '0')
if math.abs(now - seen) > 1000 then -- not at each of four looks a second
  redis.call('ZADD', KEYS[4], now, worker)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - 60000)
end

local last = redis.call('HGETALL', KEYS[3])
local answered = tonumber(ARGV[8])
if #last > 0 then
  if tonumber(redis.call('HGET', KEYS[3], 'answers')) == answered then -- not this one's answer
    for i = 1, #last, 2 do
      local room = ARGV[1] .. last[i]
      if last[i] ~= 'answers' and redis.call('HGET', room, 'holder') == last[i + 1] then
        redis.call('HDEL', room, 'until', 'holder')
        redis.call('HINCRBY', room, 'tries', -1)
        redis.call('ZADD', KEYS[1], now, last[i])
      end
    end
  end
  redis.call('DEL', KEYS[3])
end

local most, suspects = tonumber(ARGV[4]), tonumber(ARGV[6])
local until_ = now + tonumber(ARGV[3])
local rooms = {}
local offset, page = 0, most + 64
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, page)
local anything = #due > 0
while #due > 0 and #rooms < most and offset < 16 * page do
  local taken = 0
  for _, member in ipairs(due) do
    if #rooms == most then
      break
    end
    local room, inbox = ARGV[1] .. member, ARGV[2] .. member
    local state = redis.call('HMGET', room, 'tries', 'trying', 'record')
    local tries = tonumber(state[1] or '0')
    if tries < 2 or suspects > 0 then
      if tries >= 2 then
        suspects = suspects - 1
      end
      local events = redis.call('LRANGE', inbox, 0, ARGV[5] - 1)
      local head = events[1] and string.match(events[1], '^[^\n]*') or ''
      tries = (head == state[2]) and tries + 1 or 1
      local token = redis.call('HINCRBY', room, 'fence', 1) .. '-' .. ARGV[7] .. '-' .. ARGV[8]
      redis.call('HSET', room, 'holder', token, 'until', until_, 'trying', head, 'tries', tries)
      redis.call('PERSIST', room)
      redis.call('ZADD', KEYS[1], until_, member)
      redis.call('HSET', KEYS[3], member, token)
      taken = taken + 1
      local waiting = redis.call('LLEN', inbox)
      local noted = redis.call('EXISTS', ARGV[10] .. member)
      rooms[#rooms + 1] = {member, token, tries, state[3] or '', events, waiting, noted}
    end
  end
  offset = offset + #due - taken -- those taken are no longer among the due
  due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, page)
end
if #rooms > 0 then
  redis.call('HSET', KEYS[3], 'answers', answered)
  redis.call('EXPIRE', KEYS[3], 60)
end
if not anything then
  redis.call('DEL', KEYS[2]) -- all is taken: the next event wakes somebody
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {now, first[2] or '', rooms, redis.call('SMEMBERS', KEYS[5])}
