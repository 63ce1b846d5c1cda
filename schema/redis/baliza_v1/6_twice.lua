-- --- the same event twice ---
-- visitor.h: the hashes of the last events, one after the other. Who has more events than it holds has a set besides, and one
-- from before (see put_aside). visitor.e: when the set ends; visitor.d: when the one before does.

local function is_recent(hashes, hash)
  local from = 1
  while true do
    local place = hashes:find(hash, from, true)
    if not place then return false end
    if (place - 1) % HASH_LENGTH == 0 then return true end
    from = place + 1
  end
end

local function members(key, until_ms, now, hashes)
  return until_ms > now and #hashes > 0 and redis.call('SMISMEMBER', key, unpack(hashes)) or {}
end

-- The events of the batch that are new, each of them once.
local function fresh_events(visitor, seen_key, before_key, events, now)
  local unknown, hashes, taken = {}, {}, {}
  for _, event in ipairs(events) do
    local hash = event.h
    if not taken[hash] and not is_recent(visitor.h, hash) then
      taken[hash] = true
      unknown[#unknown + 1] = event
      hashes[#hashes + 1] = hash
    end
  end
  if visitor.e <= now and visitor.d <= now then return unknown end
  local known, known_before = members(seen_key, visitor.e, now, hashes), members(before_key, visitor.d, now, hashes)
  local fresh = {}
  for place, event in ipairs(unknown) do
    if known[place] ~= 1 and known_before[place] ~= 1 then fresh[#fresh + 1] = event end
  end
  return fresh
end

-- A set has no times, so once it is old enough it is put aside whole, and the next one begins: the ids of who comes every day
-- would otherwise be kept for ever. So an id is remembered for rules.dedupe at least.
local function put_aside(visitor, seen_key, before_key, now, dedupe)
  local older = #visitor.h - KEPT_RECENT * HASH_LENGTH
  local hashes = {}
  for from = 1, older, HASH_LENGTH do hashes[#hashes + 1] = visitor.h:sub(from, from + HASH_LENGTH - 1) end
  redis.call('SADD', seen_key, unpack(hashes))
  visitor.h = visitor.h:sub(older + 1)
  if visitor.e <= now then
    visitor.e = now + 2 * dedupe
    redis.call('PEXPIREAT', seen_key, visitor.e)
  elseif visitor.e < now + dedupe then
    visitor.d, visitor.e = now + dedupe, 0
    redis.call('RENAME', seen_key, before_key)
    redis.call('PEXPIREAT', before_key, visitor.d)
  end
end

local function remember(visitor, fresh, keys, now, dedupe)
  if #fresh == 1 then
    visitor.h = visitor.h .. fresh[1].h
  else
    local hashes = {}
    for place, event in ipairs(fresh) do hashes[place] = event.h end
    visitor.h = visitor.h .. table.concat(hashes)
  end
  if #visitor.h > MAX_RECENT * HASH_LENGTH then put_aside(visitor, keys[2], keys[6], now, dedupe) end
end
