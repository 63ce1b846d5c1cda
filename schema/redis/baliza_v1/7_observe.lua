-- --- an event ---

local COUNTS = {page_view = 'pv', view_item = 'iv', add_to_cart = 'ca'}

-- Answers what goes into the stream: {place in the body, time, session, its opening, number in it, and the cart after it:
-- pieces, value, currency}; and whether the cart changed.
local function apply(visitor, event, rules)
  local foreign, taken = identify(visitor, event)
  local id, opened, s = session_of(visitor, event, rules, foreign)
  local number = 0
  if s then
    s.n = s.n + 1
    number = s.n
    local counter = COUNTS[event.e]
    if counter then s[counter] = s[counter] + 1 end
    if event.q ~= '' then s.q = event.q end
  end
  if event.t < visitor.f then visitor.f = event.t end
  if event.t > visitor.l then visitor.l = event.t end
  if foreign then return {event.n, event.t, id, opened, 0, 0, 0, ''}, false end
  if event.e == 'view_item' then view_items(visitor, s, event) end
  local changed = update_cart(visitor, event) or taken
  if event.e == 'purchase' then record_order(visitor, s, event) end
  local cart = visitor.t
  return {event.n, event.t, id, opened, number, cart.p, cart.v, cart.x}, changed
end

local function by_time(a, b)
  if a.t ~= b.t then return a.t < b.t end
  return a.n < b.n
end

local function apply_all(visitor, events, rules)
  local outcome, cart_changed = {}, false
  for place, event in ipairs(events) do
    local row, changed = apply(visitor, event, rules)
    outcome[place] = row
    cart_changed = cart_changed or changed
  end
  return outcome, cart_changed
end

-- A profile that makes no sense would refuse its visitor for ever; a new one loses what is live, and the history has the rest.
local function apply_safely(visitor, events, rules)
  local done, outcome, cart_changed = pcall(apply_all, visitor, events, rules)
  if done then return visitor, outcome, cart_changed end
  local fresh = new_visitor(events[1].t)
  fresh.h, fresh.e, fresh.d = visitor.h, visitor.e, visitor.d
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

-- Takes one validated batch of one visitor.
-- KEYS[1] visitor  KEYS[2] seen  KEYS[3] events stream  KEYS[4] carts  KEYS[5] abandoned  KEYS[6] seen before
-- ARGV[1] cmsgpack {now, rules {idle, max, ttl, dedupe}, visitor id, events}   ARGV[2] body (JSON)   ARGV[3] context (msgpack)
-- An event: n place in the body, h hash, e type, t time, u url, r referrer, c customer, x currency, m value, d order id,
-- q search term, i items. Answers a bulk string with one character an event, in the order given: 1 taken, 0 duplicate.
-- A batch without a new event leaves an entry without body: its receipt.
local function observe(keys, args)
  local batch = cmsgpack.unpack(args[1])
  local events, rules, now = batch.events, batch.rules, batch.now

  local visitor = load_visitor(keys[1]) or new_visitor(events[1].t)
  local fresh = fresh_events(visitor, keys[2], keys[6], events, now)
  if #fresh == 0 then
    redis.call('XADD', keys[3], '*', 'c', args[3], 'o', NO_OUTCOME)
    return ('0'):rep(#events)
  end
  local marks = mark(events, fresh)
  if #fresh > 1 then table.sort(fresh, by_time) end

  local outcome, cart_changed
  visitor, outcome, cart_changed = apply_safely(visitor, fresh, rules)
  remember(visitor, fresh, keys, now, rules.dedupe)
  store_visitor(visitor, keys[1], now, rules.ttl)
  if cart_changed then list_cart(visitor, batch.visitor, keys[4], keys[5]) end
  redis.call('XADD', keys[3], '*', 'b', args[2], 'c', args[3], 'o', cmsgpack.pack(outcome))
  return marks
end

redis.register_function('observe_v1', observe)
