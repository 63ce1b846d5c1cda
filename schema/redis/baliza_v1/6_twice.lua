-- --- the same event twice ---
-- RECENT: the hashes of the last events, one after the other. Who has more events than it holds has a set besides, and one
-- from before (see put_aside). SEEN_UNTIL: when the set ends; BEFORE_UNTIL: when the one before does.

-- The set `seen` or `seen1` of this visitor.
local function seen_key(key, name)
  local tag, whose = key:match('^({.-}:)v(:.*)$')
  return tag .. name .. whose
end

local function is_recent(hashes, hash)
  local from = 1
  while true do
    local place = find(hashes, hash, from, true)
    if not place then return false end
    if (place - 1) % HASH_LENGTH == 0 then return true end
    from = place + 1
  end
end

local function members(key, until_ms, now, hashes)
  return until_ms > now and #hashes > 0 and call('SMISMEMBER', key, unpack(hashes)) or {}
end

local function not_in_sets(v, key, unknown, hashes, now)
  local known = members(seen_key(key, 'seen'), v[SEEN_UNTIL], now, hashes)
  local known_before = members(seen_key(key, 'seen1'), v[BEFORE_UNTIL], now, hashes)
  local fresh = {}
  for place, event in ipairs(unknown) do
    if known[place] ~= 1 and known_before[place] ~= 1 then fresh[#fresh + 1] = event end
  end
  return fresh
end

-- The events of the batch that are new, each of them once.
local function fresh_events(v, key, events, now)
  local recent, has_sets = v[RECENT], v[SEEN_UNTIL] > now or v[BEFORE_UNTIL] > now
  if #events == 1 and not has_sets then return is_recent(recent, events[1][HASH]) and {} or events end
  local unknown, hashes, taken = {}, {}, {}
  for _, event in ipairs(events) do
    local hash = event[HASH]
    if not taken[hash] and not is_recent(recent, hash) then
      taken[hash] = true
      unknown[#unknown + 1] = event
      hashes[#hashes + 1] = hash
    end
  end
  return has_sets and not_in_sets(v, key, unknown, hashes, now) or unknown
end

-- A set has no times, so once it is old enough it is put aside whole, and the next one begins: the ids of who comes every day
-- would otherwise be kept for ever. So an id is remembered for rules.dedupe at least.
local function put_aside(v, key, now, dedupe)
  local recent, seen = v[RECENT], seen_key(key, 'seen')
  local older = #recent - KEPT_RECENT * HASH_LENGTH
  local hashes = {}
  for from = 1, older, HASH_LENGTH do hashes[#hashes + 1] = recent:sub(from, from + HASH_LENGTH - 1) end
  call('SADD', seen, unpack(hashes))
  v[RECENT] = recent:sub(older + 1)
  if v[SEEN_UNTIL] <= now then
    v[SEEN_UNTIL] = now + 2 * dedupe
    call('PEXPIREAT', seen, v[SEEN_UNTIL])
  elseif v[SEEN_UNTIL] < now + dedupe then
    local before = seen_key(key, 'seen1')
    v[BEFORE_UNTIL], v[SEEN_UNTIL] = now + dedupe, 0
    call('RENAME', seen, before)
    call('PEXPIREAT', before, v[BEFORE_UNTIL])
  end
end

local function remember(v, fresh, key, now, dedupe)
  if #fresh == 1 then
    v[RECENT] = v[RECENT] .. fresh[1][HASH]
  else
    local hashes = {}
    for place, event in ipairs(fresh) do hashes[place] = event[HASH] end
    v[RECENT] = v[RECENT] .. table.concat(hashes)
  end
  if #v[RECENT] > MAX_RECENT * HASH_LENGTH then put_aside(v, key, now, dedupe) end
end
