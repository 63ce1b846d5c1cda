#!lua name=baliza_v1
-- The session profile, kept atomically. Everything here works on keys of one partition (one hash tag).
-- Loaded at start-up; a change of behaviour gets a new version number, so that old processes keep their own functions.
-- Layout of the visitor profile: schema/profile.py. Money is whole micro-units, time is milliseconds since the epoch, UTC.

local MAX_VIEWED, MAX_CATEGORIES, MAX_CART, MAX_ORDERS, MAX_PAST = 20, 20, 100, 10, 16
-- As in schema/events.py. Whatever is summed up stays below 2^53, where a Lua number is exact and is packed as an integer.
local MAX_QUANTITY, MAX_MICROS, MAX_SUM, UNKNOWN_PRICE = 100000, 1e15, 9e15, -1
local CLAIM_HOLDS_MS, SETTLED, HEARSAY = 60000, '+', '-'

local WHOLE_CART = {sync_cart = true, purchase = true}
local CART_DELTA = {add_to_cart = 1, remove_from_cart = -1}

local function find(rows, id)
  for place, row in ipairs(rows) do
    if row[1] == id then return place, row end
  end
end

local function push_bounded(rows, row, most)
  rows[#rows + 1] = row
  if #rows > most then table.remove(rows, 1) end
end

-- Keeps rows in the order of the time in this column, whatever order they come in.
local function insert_by_time(rows, row, column, most)
  local place = #rows
  while place > 0 and rows[place][column] > row[column] do place = place - 1 end
  table.insert(rows, place + 1, row)
  if #rows > most then table.remove(rows, 1) end
end

local function new_visitor(t)
  return {v = 1, f = t, l = t, n = 0, e = 0, k = {}, p = {}, w = {}, o = {}, t = {x = '', m = 0, y = 0, i = {}}}
end

local function close_session(visitor)
  local s = visitor.s
  if s then push_bounded(visitor.p, {s.i, s.o, s.a, s.z}, MAX_PAST) end
  visitor.s = nil
end

local function open_session(visitor, event)
  close_session(visitor)
  visitor.n = visitor.n + 1
  visitor.s = {i = event.h, o = event.t, a = event.t, z = event.t, n = 0, pv = 0, iv = 0, ca = 0, b = 0, r = {},
               lu = event.u, lr = event.r, q = '', g = {}}
  return visitor.s
end

-- Sessions are cut by the time of the event, not by its arrival. A late event joins the session that it fell into;
-- where there was none it makes one that is over already.
local function late_session(visitor, event, rules)
  for place = #visitor.p, 1, -1 do
    local past = visitor.p[place]
    if event.t >= past[3] - rules.idle and event.t <= past[4] + rules.idle
       and math.max(event.t, past[4]) - math.min(event.t, past[3]) <= rules.max then
      past[3], past[4] = math.min(past[3], event.t), math.max(past[4], event.t)
      return past[1], past[2]
    end
  end
  push_bounded(visitor.p, {event.h, event.t, event.t, event.t}, MAX_PAST)
  visitor.n = visitor.n + 1
  return event.h, event.t
end

-- Answers the session's id and opening time, and the session itself when it is the live one.
local function session_of(visitor, event, rules, foreign)
  local s = visitor.s
  if foreign then return late_session(visitor, event, rules) end
  if not s or event.t > s.z + rules.idle or (event.t > s.z and event.t - s.a > rules.max) then
    s = open_session(visitor, event)
  elseif event.t < s.a - rules.idle or (event.t < s.a and s.z - event.t > rules.max) then
    return late_session(visitor, event, rules)
  end
  if event.u ~= '' and (s.lu == '' or event.t < s.a) then s.lu, s.lr = event.u, event.r end
  s.a, s.z = math.min(s.a, event.t), math.max(s.z, event.t)
  return s.i, s.o, s
end

-- Anonymous to known attaches. Known to somebody else is another person on the same browser: what is live belongs to
-- the first, so the second starts with a session, cart and views of their own.
-- Answers whether the event is from before the present person came (then it must not touch what is live), and whether
-- the cart was taken away.
local function identify(visitor, event)
  local link, before = visitor.k[#visitor.k], visitor.k[#visitor.k - 1]
  if before and event.t < link[2] then
    if event.c ~= visitor.c or event.t < before[2] then return true, false end
    if visitor.t.y == link[2] then visitor.t.y = event.t end
    link[2] = event.t
  elseif event.c ~= '' and event.c ~= visitor.c then
    push_bounded(visitor.k, {event.c, event.t}, MAX_ORDERS)
    local another = visitor.c ~= nil
    visitor.c = event.c
    if another then
      close_session(visitor)
      visitor.w, visitor.o, visitor.t = {}, {}, {x = '', m = 0, y = event.t, i = {}}
      return false, true
    end
  end
  return false, false
end

local function count_category(s, category)
  if category == '' then return end
  local place, row = find(s.g, category)
  if place then table.remove(s.g, place) end
  -- The latest stand last, so that a full list forgets what was left longest ago.
  push_bounded(s.g, {category, row and row[2] + 1 or 1}, MAX_CATEGORIES)
end

-- What is said now counts, but nothing said is no news; of two views the later one tells the price.
local function viewed_row(old, item, event)
  local row = {item[1], item[5], item[4], 1, event.t, item[3], event.x}
  if not old then return row end
  local late = event.t < old[5]
  local newer, older = late and old or row, late and row or old
  local priced = newer[6] >= 0 and newer or older
  return {item[1], newer[2] ~= '' and newer[2] or older[2], newer[3] ~= '' and newer[3] or older[3], old[4] + 1, newer[5],
          priced[6], priced[7]}
end

-- event.i: items as {id, quantity, price, name, category}
local function view_items(visitor, s, event)
  for _, item in ipairs(event.i) do
    local place, old = find(visitor.w, item[1])
    if place then table.remove(visitor.w, place) end
    insert_by_time(visitor.w, viewed_row(old, item, event), 5, MAX_VIEWED)
    if s then count_category(s, item[5]) end
  end
end

local function change_cart(cart, item, sign)
  local place, row = find(cart.i, item[1])
  if row then
    row[2] = math.min(row[2] + sign * item[2], MAX_QUANTITY)
    if item[3] >= 0 then row[3] = item[3] end
    if row[2] <= 0 then table.remove(cart.i, place) end
  elseif sign > 0 and item[2] > 0 and #cart.i < MAX_CART then
    cart.i[#cart.i + 1] = {item[1], item[2], item[3], item[4], item[5]}
  end
end

-- Money of two currencies is never added up: the latest word says which one the cart is in, and what was said in another
-- is a price that nobody knows. Answers whether the event's prices are in the cart's currency.
local function agree_on_currency(cart, event, sign)
  if event.x == '' or event.x == cart.x then return true end
  if cart.x ~= '' then
    if event.t < cart.m or sign < 0 then return false end
    for _, row in ipairs(cart.i) do row[3] = UNKNOWN_PRICE end
  end
  cart.x = event.x
  return true
end

-- A statement about the whole cart (sync_cart, purchase) is a base line: what happened before it is in it already,
-- however late it arrives. One that is late itself is no base line for the changes after it: an old state of the cart is no
-- news, and an order takes out what was bought and leaves what was added since.
local function update_cart(visitor, event)
  local cart, whole, sign = visitor.t, WHOLE_CART[event.e], CART_DELTA[event.e]
  if not (whole or sign) or event.t < cart.y then return false end
  if whole and event.t < cart.m then
    if event.e ~= 'purchase' then return false end
    sign = -1
  elseif whole then
    cart.i = {}
    sign = event.e == 'purchase' and 0 or 1
  end
  if whole then cart.y = event.t end
  local priced = agree_on_currency(cart, event, sign)
  if sign ~= 0 then
    for _, item in ipairs(event.i) do
      change_cart(cart, priced and item or {item[1], item[2], UNKNOWN_PRICE, item[4], item[5]}, sign)
    end
  end
  cart.m = math.max(cart.m, event.t)
  return true
end

local function cart_summary(cart)
  local pieces, value = 0, 0
  for _, row in ipairs(cart.i) do
    pieces = pieces + row[2]
    if row[3] > 0 then value = value + row[2] * row[3] end
  end
  return pieces, math.min(value, MAX_MICROS)
end

local function add_revenue(s, currency, value)
  local _, row = find(s.r, currency)
  if row then row[2] = math.min(row[2] + value, MAX_SUM) else s.r[#s.r + 1] = {currency, value} end
end

-- event.m: value in micro-units, event.d: order id
local function record_order(visitor, s, event)
  local bought = {}
  for _, item in ipairs(event.i) do bought[#bought + 1] = {item[1], item[2]} end
  insert_by_time(visitor.o, {event.d, event.t, event.m, event.x, bought}, 2, MAX_ORDERS)
  if s then
    s.b = s.b + 1
    add_revenue(s, event.x, event.m)
  end
end

local COUNTS = {page_view = 'pv', view_item = 'iv', add_to_cart = 'ca'}

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
  local changed = taken
  if not foreign then
    if event.e == 'view_item' then view_items(visitor, s, event) end
    changed = update_cart(visitor, event) or taken
    if event.e == 'purchase' then record_order(visitor, s, event) end
  end
  visitor.f, visitor.l = math.min(visitor.f, event.t), math.max(visitor.l, event.t)
  if foreign then return {event.n, event.t, id, opened, 0, 0, 0, ''}, false end
  local pieces, value = cart_summary(visitor.t)
  return {event.n, event.t, id, opened, number, pieces, value, visitor.t.x}, changed
end

-- Splits the batch into new events and those taken before. One SADD tells for a single event; more need to be asked first.
-- before_key: the ids of the time before, nil when there are none any more.
local function fresh_events(seen_key, before_key, events)
  if #events == 1 and not before_key then
    return redis.call('SADD', seen_key, events[1].h) == 1 and events or {}
  end
  local hashes, fresh, taken, known_before = {}, {}, {}, {}
  for place, event in ipairs(events) do hashes[place] = event.h end
  local known = redis.call('SMISMEMBER', seen_key, unpack(hashes))
  if before_key then known_before = redis.call('SMISMEMBER', before_key, unpack(hashes)) end
  hashes = {}
  for place, event in ipairs(events) do
    if known[place] == 0 and known_before[place] ~= 1 and not taken[event.h] then
      taken[event.h] = true
      fresh[#fresh + 1] = event
      hashes[#hashes + 1] = event.h
    end
  end
  if #hashes > 0 then redis.call('SADD', seen_key, unpack(hashes)) end
  return fresh
end

-- Event ids are remembered for rules.dedupe at least. A set has no times, so after that it is put aside whole for another one, and
-- the next event begins a new set: the ids of who comes every day would otherwise be kept for ever.
-- visitor.e: when the present set ends; visitor.d: when the one before does.
local function keep_seen(visitor, seen_key, before_key, now, dedupe)
  if visitor.e <= now then
    visitor.e = now + 2 * dedupe
    redis.call('PEXPIREAT', seen_key, visitor.e)
  elseif visitor.e < now + dedupe then
    visitor.d, visitor.e = now + dedupe, 0
    redis.call('RENAME', seen_key, before_key)
    redis.call('PEXPIREAT', before_key, visitor.d)
  end
end

-- A profile that cannot be read would refuse its visitor for ever; a new one loses what is live, and the history has the rest.
local function load_visitor(key)
  local stored = redis.call('GET', key)
  if stored then
    local read, visitor = pcall(cmsgpack.unpack, stored)
    if read and type(visitor) == 'table' and visitor.v == 1 and type(visitor.e) == 'number' then return visitor end
  end
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

-- As apply_all, on a new visitor when the stored one makes no sense; answers the visitor too. An event that is marked as seen
-- and yet not stored would be lost as a duplicate when it is sent again, so a failure takes the marks back.
local function apply_safely(visitor, events, rules, seen_key)
  local done, outcome, cart_changed = pcall(apply_all, visitor, events, rules)
  if not done then
    visitor = new_visitor(events[1].t)
    done, outcome, cart_changed = pcall(apply_all, visitor, events, rules)
  end
  if done then return visitor, outcome, cart_changed end
  for _, event in ipairs(events) do redis.call('SREM', seen_key, event.h) end
  error(outcome)
end

-- Takes one validated batch of one visitor.
-- KEYS[1] visitor  KEYS[2] seen  KEYS[3] events stream  KEYS[4] carts  KEYS[5] abandoned  KEYS[6] seen before
-- ARGV[1] cmsgpack {now, rules {idle, max, ttl, dedupe}, visitor id, events}   ARGV[2] body (JSON)   ARGV[3] context (msgpack)
-- An event: n place in the body, h hash, e type, t time, u url, r referrer, c customer, x currency, m value, d order id,
-- q search term, i items. Answers a bulk string with one character an event, in the order given: 1 taken, 0 duplicate.
local function observe(keys, args)
  local batch = cmsgpack.unpack(args[1])
  local events, rules, now = batch.events, batch.rules, batch.now
  local marks = {}
  for place in ipairs(events) do marks[place] = '0' end
  for place, event in ipairs(events) do event.place = place end

  local visitor = load_visitor(keys[1])
  local remembered = visitor and (tonumber(visitor.d) or 0) > now
  local fresh = fresh_events(keys[2], remembered and keys[6], events)
  if #fresh == 0 then return table.concat(marks) end
  table.sort(fresh, by_time)

  local outcome, cart_changed
  visitor, outcome, cart_changed = apply_safely(visitor or new_visitor(fresh[1].t), fresh, rules, keys[2])
  for _, event in ipairs(fresh) do marks[event.place] = '1' end

  keep_seen(visitor, keys[2], keys[6], now, rules.dedupe)
  redis.call('SET', keys[1], cmsgpack.pack(visitor), 'PX', rules.ttl)
  if cart_changed then
    if #visitor.t.i > 0 then redis.call('ZADD', keys[4], visitor.t.m, batch.visitor)
    else redis.call('ZREM', keys[4], batch.visitor) end
    redis.call('ZREM', keys[5], batch.visitor)
  end
  redis.call('XADD', keys[3], '*', 'b', args[2], 'c', args[3], 'o', cmsgpack.pack(outcome))
  return table.concat(marks)
end

-- Claims an order id, so that an order counts once from wherever it comes. The claim is settled (settle_order) when the order
-- is counted. Until then the same claimant may claim again (a retry), others are asked to wait (who claimed it may be lost
-- before counting it), and anybody may have it once the claim is old. What a sender says who is not trusted about money is hearsay: it keeps off more hearsay,
-- but never the order itself, which would lose its revenue.
-- KEYS[1] orders   ARGV[1] order id   ARGV[2] claimant (event hash)  ARGV[3] now (ms)  ARGV[4] 1 from a trusted sender, else 0.
-- Answers 1 when it is the claimant's, 0 when it is counted, 2 when somebody else is about to count it.
local function claim_order(keys, args)
  local held = redis.call('HGET', keys[1], args[1]) or ''
  local mark = args[4] == '0' and HEARSAY or ''
  if mark == '' and held:sub(1, 1) == HEARSAY then held = '' end
  if held == SETTLED or held == HEARSAY then return 0 end
  local claimant, since = held:match('^(.+):(%d+)$')
  -- After a clock was set back, an old claim is one of the future.
  local age = claimant and math.abs(tonumber(args[3]) - tonumber(since))
  if claimant and claimant ~= mark .. args[2] and age < CLAIM_HOLDS_MS then return 2 end
  redis.call('HSET', keys[1], args[1], mark .. args[2] .. ':' .. args[3])
  return 1
end

-- Ends the claim of an order that is counted. Hearsay never takes the place of what a trusted sender said or is about to say.
-- KEYS[1] orders   ARGV[1] order id   ARGV[2] + or -.   Answers 1 when it is noted.
local function settle_order(keys, args)
  if args[2] == HEARSAY and (redis.call('HGET', keys[1], args[1]) or HEARSAY):sub(1, 1) ~= HEARSAY then return 0 end
  redis.call('HSET', keys[1], args[1], args[2])
  return 1
end

-- Moves a visitor from carts to abandoned if, looked at now, the cart still holds something and has been idle.
-- KEYS[1] visitor  KEYS[2] carts  KEYS[3] abandoned   ARGV[1] visitor id  ARGV[2] changed at or before (ms)  ARGV[3] now (ms)
-- Answers 1 when it was marked, 0 when there was nothing (any more) to mark.
local function mark_abandoned(keys, args)
  local changed = redis.call('ZSCORE', keys[2], args[1])
  if not changed or tonumber(changed) > tonumber(args[2]) then return 0 end
  if redis.call('EXISTS', keys[1]) == 0 then
    redis.call('ZREM', keys[2], args[1])
    redis.call('ZREM', keys[3], args[1])
    return 0
  end
  return redis.call('ZADD', keys[3], 'NX', args[3], args[1])
end

-- Takes a cart off both lists because the person bought elsewhere. The cart must not have changed after the purchase.
-- KEYS[1] carts  KEYS[2] abandoned   ARGV[1] visitor id  ARGV[2] purchase time (ms).   Answers 1 when it was taken off.
local function cancel_cart(keys, args)
  local changed = redis.call('ZSCORE', keys[1], args[1])
  if not changed or tonumber(changed) > tonumber(args[2]) then return 0 end
  redis.call('ZREM', keys[2], args[1])
  return redis.call('ZREM', keys[1], args[1])
end

-- Remembers the time of a customer's last purchase; repeating it changes nothing.
-- KEYS[1] customer   ARGV[1] purchase time (ms)   ARGV[2] ttl (ms)
local function note_purchase(keys, args)
  local last = tonumber(redis.call('HGET', keys[1], 'last_purchase') or '0')
  if tonumber(args[1]) > last then redis.call('HSET', keys[1], 'last_purchase', args[1]) end
  redis.call('PEXPIRE', keys[1], args[2])
  return 1
end

-- Writes down which ranges are about to be stored, if the lease is still the caller's and no batch is open.
-- KEYS[1] lease  KEYS[2] manifest   ARGV[1] owner  ARGV[2] manifest.   Answers 1 when it was written down, else 0.
local function plan_batch(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('SET', keys[2], args[2], 'NX') and 1 or 0
end

-- Forgets a batch that is stored and trimmed, unless another one took its place.
-- KEYS[1] manifest   ARGV[1] manifest
local function close_batch(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('DEL', keys[1])
end

-- Who empties a full store must not be stopped by its being full, nor who ends what was begun.
local function register_always(name, callback)
  redis.register_function{function_name = name, callback = callback, flags = {'allow-oom'}}
end

register_always('plan_batch_v1', plan_batch)
register_always('close_batch_v1', close_batch)
register_always('settle_order_v1', settle_order)
register_always('note_purchase_v1', note_purchase)
redis.register_function('observe_v1', observe)
redis.register_function('claim_order_v2', claim_order)
redis.register_function('mark_abandoned_v1', mark_abandoned)
redis.register_function('cancel_cart_v1', cancel_cart)
