-- --- an event ---

-- Answers the session's id and opening time, the event's number in it (0 when it is not in the live one), whether the visitor
-- was somebody else then, and whether the cart changed.
local function apply(v, event, rules)
  local t, kind = event[TIME], event[KIND]
  local foreign, changed = false, false
  if event[WHO] ~= v[CUSTOMER] or t < v[KNOWN_SINCE] then foreign, changed = identify(v, event) end
  local id, opened, live = session_of(v, event, rules, foreign)
  local number = 0
  if live then
    number = v[EVENTS] + 1
    v[EVENTS] = number
    if kind >= PAGE_VIEW and kind <= ADD_TO_CART then v[EVENTS + kind] = v[EVENTS + kind] + 1 end
    if event[SEARCH] ~= '' then rest_of(v).q = event[SEARCH] end
  end
  if t < v[FIRST_SEEN] then v[FIRST_SEEN] = t end
  if t > v[LAST_SEEN] then v[LAST_SEEN] = t end
  if foreign then return id, opened, 0, true, false end
  if kind == VIEW_ITEM then
    view_items(v, event, live)
  elseif kind >= OFFER_SHOWN then
    note_offers(v, event)
  elseif kind >= ADD_TO_CART then
    open_sale(event)
    changed = update_cart(v, event) or changed
    if kind == PURCHASE then record_order(v, live, event) end
  end
  return id, opened, number, false, changed
end

local function by_time(a, b)
  if a[TIME] ~= b[TIME] then return a[TIME] < b[TIME] end
  return a[PLACE] < b[PLACE]
end

-- Nearly every batch comes in order.
local function sort_by_time(events)
  for place = 2, #events do
    if by_time(events[place], events[place - 1]) then return table.sort(events, by_time) end
  end
end

-- One event of what goes into the stream, as MessagePack: {place in the body, time, session, its opening, number in it, and the
-- cart after it: pieces, value, currency}. A table, packed by cmsgpack, would cost as much as all the rest of a short batch.
local OUTCOME = '>BBI2BI8Bc' .. HASH_LENGTH .. 'BI8BI4BI4BI8B'
local function outcome(v, event, id, opened, number, foreign)
  local pieces, value, currency = v[PIECES], v[VALUE], v[CURRENCY]
  if foreign then pieces, value, currency = 0, 0, '' end
  return pack(OUTCOME, 0x98, 0xcd, event[PLACE], 0xcf, event[TIME], 0xa0 + HASH_LENGTH, id, 0xcf, opened, 0xce, number, 0xce,
    pieces, 0xcf, value, 0xa0 + #currency) .. currency
end

local function list_of(packed)
  local count = #packed
  if count == 1 then return '\145' .. packed[1] end
  return pack('>BI2', 0xdc, count) .. table.concat(packed)
end

local function apply_all(v, events, rules)
  local rows, cart_changed = {}, false
  for place, event in ipairs(events) do
    local id, opened, number, foreign, changed = apply(v, event, rules)
    rows[place] = outcome(v, event, id, opened, number, foreign)
    cart_changed = cart_changed or changed
  end
  return list_of(rows), cart_changed
end

-- A profile that makes no sense would refuse its visitor for ever; a new one loses what is live, and the history has the rest.
local function apply_safely(v, events, rules)
  local done, outcomes, cart_changed = pcall(apply_all, v, events, rules)
  if done then return v, outcomes, cart_changed end
  local fresh = new_visitor(events[1][TIME])
  fresh[RECENT], fresh[SEEN_UNTIL], fresh[BEFORE_UNTIL] = v[RECENT], v[SEEN_UNTIL], v[BEFORE_UNTIL]
  return fresh, apply_all(fresh, events, rules)
end

local NO_OUTCOME = '\144'  -- an empty list, packed

local function mark(events, fresh)
  if #fresh == #events then return ('1'):rep(#events) end
  local is_fresh, marks = {}, {}
  for _, event in ipairs(fresh) do is_fresh[event] = true end
  for place, event in ipairs(events) do marks[place] = is_fresh[event] and '1' or '0' end
  return table.concat(marks)
end

-- The time, and the events.
local function read_batch(packed)
  local now, count, at = unpack_struct('<dI2', packed)
  local events = {}
  for place = 1, count do
    local event = {unpack_struct(EVENT, packed, at)}
    events[place], at = event, event[END]
  end
  return now, events
end

local function observe_one(key, stream, rules, packed, body, context)
  local now, events = read_batch(packed)
  local v = load_visitor(key) or new_visitor(events[1][TIME])
  local fresh = fresh_events(v, key, events, now)
  if #fresh == 0 then
    call('XADD', stream, '*', 'c', context, 'o', NO_OUTCOME)
    return ('0'):rep(#events)
  end
  local marks = mark(events, fresh)
  sort_by_time(fresh)

  local outcomes, cart_changed
  v, outcomes, cart_changed = apply_safely(v, fresh, rules)
  remember(v, fresh, key, now, rules.dedupe)
  store_visitor(v, key, now, rules.ttl)
  if cart_changed then list_cart(v, key) end
  call('XADD', stream, '*', 'b', body, 'c', context, 'o', outcomes)
  return marks
end

-- Takes validated batches, each of one visitor; all of one cluster slot.
-- KEYS: of each batch the visitor and the events stream. Its sets and lists lie in the same slot and are named after the visitor.
-- ARGV[1] rules: four doubles: idle, max, ttl, dedupe.  Of each batch: its events (see read_batch), body (JSON), context (msgpack).
-- Answers for each batch a bulk string with one character an event, in the order given: 1 taken, 0 duplicate.
-- A batch without a new event leaves an entry without body: its receipt. One that fails does not touch the others.
local function observe(keys, args)
  pack, unpack_struct, call = struct.pack, struct.unpack, redis.call
  local rules = {}
  rules.idle, rules.max, rules.ttl, rules.dedupe = unpack_struct('<dddd', args[1])
  if #keys == 2 then return {observe_one(keys[1], keys[2], rules, args[2], args[3], args[4])} end
  local marks = {}
  for place = 1, #keys / 2 do
    local arg = 3 * place - 1
    local done, answer = pcall(observe_one, keys[2 * place - 1], keys[2 * place], rules, args[arg], args[arg + 1], args[arg + 2])
    marks[place] = done and answer or {err = type(answer) == 'table' and answer.err or 'ERR ' .. tostring(answer)}
  end
  return marks
end

redis.register_function('observe_v2', observe)
