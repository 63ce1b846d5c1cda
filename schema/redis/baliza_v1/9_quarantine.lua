-- --- quarantine ---

-- Beside a quarantine stands its tally, a hash: `bytes` of what is in it, and how many it no longer has, because they had to
-- make room (`thrown`) or were too old (`aged`); and why:<id>, the latest reason of one that was refused again.
local function size_of(fields)
  local size = 0
  for _, text in ipairs(fields) do size = size + #text end
  return size
end

local function drop(stream, tally, entry)
  redis.call('XDEL', stream, entry[1])
  redis.call('HDEL', tally, 'why:' .. entry[1])
  return redis.call('HINCRBY', tally, 'bytes', -size_of(entry[2]))
end

-- Throws out the oldest until the others are few, small and young enough. Answers how many went.
-- KEYS[1] quarantine  KEYS[2] its tally   ARGV[1] most entries  ARGV[2] most bytes  ARGV[3] oldest (ms)
local function trim_quarantine(keys, args)
  local most, most_bytes, oldest_ms = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local count, gone = redis.call('XLEN', keys[1]), 0
  local bytes = tonumber(redis.call('HGET', keys[2], 'bytes') or '0')
  while count > 0 do
    local oldest = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
    local aged = tonumber(oldest[1]:match('^%d+')) < oldest_ms
    if not aged and count <= most and bytes <= most_bytes then break end
    bytes = drop(keys[1], keys[2], oldest)
    redis.call('HINCRBY', keys[2], aged and 'aged' or 'thrown', 1)
    count, gone = count - 1, gone + 1
  end
  return gone
end

-- Keeps one refused event. Further arguments: its fields, names and values.
-- KEYS, ARGV[1] to ARGV[3] as above. Answers its id.
local function refuse(keys, args)
  local fields = {unpack(args, 4)}
  local id = redis.call('XADD', keys[1], '*', unpack(fields))
  redis.call('HINCRBY', keys[2], 'bytes', size_of(fields))
  trim_quarantine(keys, args)
  return id
end

-- Takes a refused event out of quarantine; answers 1, or 0 when it was not there.
-- With the context of an entry of the events stream only when that is the newest there: in one transaction with what adds it,
-- an event leaves quarantine when and only when it was taken in.
-- KEYS[1] quarantine  KEYS[2] its tally  KEYS[3] events stream   ARGV[1] id  ARGV[2] context, or nothing
local function unrefuse(keys, args)
  if args[2] ~= '' then
    local newest = redis.call('XREVRANGE', keys[3], '+', '-', 'COUNT', 1)[1]
    local said = newest and newest[2]
    local same = false
    for place = 1, said and #said or 0, 2 do same = same or (said[place] == 'c' and said[place + 1] == args[2]) end
    if not same then return 0 end
  end
  local entry = redis.call('XRANGE', keys[1], args[1], args[1])[1]
  if not entry then return 0 end
  drop(keys[1], keys[2], entry)
  return 1
end

-- Says why a refused event was refused again. Answers 1, or 0 when it is not there.
-- KEYS[1] quarantine  KEYS[2] its tally   ARGV[1] id  ARGV[2] why
local function refuse_again(keys, args)
  if #redis.call('XRANGE', keys[1], args[1], args[1]) == 0 then return 0 end
  redis.call('HSET', keys[2], 'why:' .. args[1], args[2])
  return 1
end

-- Moves an accepted entry that the history will not have out of the way of the others; never two, never none of it.
-- KEYS[1] events stream  KEYS[2] unstored   ARGV[1] id  ARGV[2] now (ms)  ARGV[3] why.   Answers 1, or 0 when it was not there.
local function set_aside(keys, args)
  local entry = redis.call('XRANGE', keys[1], args[1], args[1])[1]
  if not entry then return 0 end
  redis.call('XADD', keys[2], '*', 'at', args[2], 'error', args[3], unpack(entry[2]))
  return redis.call('XDEL', keys[1], args[1])
end

-- Ends that: the entry goes back to the others, or, with a context, nothing but its numbers does.
-- KEYS[1] unstored  KEYS[2] events stream   ARGV[1] id  ARGV[2] context, or nothing.   Answers 1, or 0 when it was not there.
local function put_back(keys, args)
  local entry = redis.call('XRANGE', keys[1], args[1], args[1])[1]
  if not entry then return 0 end
  local fields = entry[2]
  if args[2] ~= '' then
    redis.call('XADD', keys[2], '*', 'c', args[2], 'o', NO_OUTCOME)
  else
    -- Before them stand when and why it was set aside.
    redis.call('XADD', keys[2], '*', unpack(fields, 5))
  end
  return redis.call('XDEL', keys[1], args[1])
end

redis.register_function('refuse_v1', refuse)
redis.register_function('refuse_again_v1', refuse_again)
register_always('trim_quarantine_v1', trim_quarantine)
register_always('unrefuse_v1', unrefuse)
register_always('set_aside_v1', set_aside)
register_always('put_back_v1', put_back)
