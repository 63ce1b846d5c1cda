-- --- the cart ---

local function change_cart(lines, item, sign)
  local place, row = find(lines, item[1])
  if row then
    row[2] = math.min(row[2] + sign * item[2], MAX_QUANTITY)
    if item[3] >= 0 then row[3] = item[3] end
    if row[2] <= 0 then table.remove(lines, place) end
  elseif sign > 0 and item[2] > 0 and #lines < MAX_CART then
    lines[#lines + 1] = {item[1], item[2], item[3], item[4], item[5]}
  end
end

local function sum_up(cart)
  local pieces, value = 0, 0
  for _, row in ipairs(open(cart, 'i')) do
    pieces = pieces + row[2]
    if row[3] > 0 then value = value + row[2] * row[3] end
  end
  cart.p, cart.v = pieces, math.min(value, MAX_MICROS)
end

-- Money of two currencies is never added up: the latest word says which one the cart is in, and what was said in another
-- is a price that nobody knows. Answers whether the event's prices are in the cart's currency.
local function agree_on_currency(cart, event, sign)
  if event.x == '' or event.x == cart.x then return true end
  if cart.x ~= '' then
    if event.t < cart.m or sign < 0 then return false end
    for _, row in ipairs(open(cart, 'i')) do row[3] = UNKNOWN_PRICE end
  end
  cart.x = event.x
  return true
end

-- A statement about the whole cart (sync_cart, purchase) is a base line: what happened before it is in it already,
-- however late it arrives. One that is late itself is no base line for the changes after it: an old state of the cart is no
-- news, and an order takes out what was bought and leaves what was added since.
local function update_cart(visitor, event)
  local whole, sign = WHOLE_CART[event.e], CART_DELTA[event.e]
  if not (whole or sign) then return false end
  local cart = visitor.t
  if event.t < cart.y then return false end
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
    local lines = open(cart, 'i')
    for _, item in ipairs(event.i) do
      change_cart(lines, priced and item or {item[1], item[2], UNKNOWN_PRICE, item[4], item[5]}, sign)
    end
  end
  cart.m = math.max(cart.m, event.t)
  sum_up(cart)
  return true
end

-- --- orders ---

local function add_revenue(s, currency, value)
  local sums = open(s, 'r')
  local _, row = find(sums, currency)
  if row then row[2] = math.min(row[2] + value, MAX_SUM) else sums[#sums + 1] = {currency, value} end
end

-- event.m: value in micro-units, event.d: order id
local function record_order(visitor, s, event)
  local bought = {}
  for _, item in ipairs(event.i) do bought[#bought + 1] = {item[1], item[2]} end
  insert_by_time(open(visitor, 'o'), {event.d, event.t, event.m, event.x, bought}, 2, MAX_ORDERS)
  if s then
    s.b = s.b + 1
    add_revenue(s, event.x, event.m)
  end
end

local function list_cart(visitor, visitor_id, carts_key, abandoned_key)
  if visitor.t.p > 0 or #open(visitor.t, 'i') > 0 then redis.call('ZADD', carts_key, visitor.t.m, visitor_id)
  else redis.call('ZREM', carts_key, visitor_id) end
  redis.call('ZREM', abandoned_key, visitor_id)
end
