-- --- the cart ---

local function change_cart(lines, item, sign)
  local place, row = row_of(lines, item[1])
  if row then
    row[2] = math.min(row[2] + sign * item[2], MAX_QUANTITY)
    if item[3] >= 0 then row[3] = item[3] end
    if row[2] <= 0 then table.remove(lines, place) end
  elseif sign > 0 and item[2] > 0 and #lines < MAX_CART then
    lines[#lines + 1] = {item[1], item[2], item[3], item[4], item[5]}
  end
end

local function sum_up(v)
  local pieces, value = 0, 0
  for _, row in ipairs(open(v, 'i')) do
    pieces = pieces + row[2]
    if row[3] > 0 then value = value + row[2] * row[3] end
  end
  v[PIECES], v[VALUE] = pieces, math.min(value, MAX_MICROS)
end

-- Money of two currencies is never added up: the latest word says which one the cart is in, and what was said in another
-- is a price that nobody knows. Answers whether the event's prices are in the cart's currency.
local function agree_on_currency(v, event, sign)
  local said, known = event.currency, v[CURRENCY]
  if said == '' or said == known then return true end
  if known ~= '' then
    if event[TIME] < v[CART_CHANGED] or sign < 0 then return false end
    for _, row in ipairs(open(v, 'i')) do row[3] = UNKNOWN_PRICE end
  end
  v[CURRENCY] = said
  return true
end

-- A statement about the whole cart (sync_cart, purchase) is a base line: what happened before it is in it already,
-- however late it arrives. One that is late itself is no base line for the changes after it: an old state of the cart is no
-- news, and an order takes out what was bought and leaves what was added since.
local function update_cart(v, event)
  local whole, sign, t = WHOLE_CART[event[KIND]], CART_DELTA[event[KIND]], event[TIME]
  if t < v[CART_BASED] then return false end
  if whole and t < v[CART_CHANGED] then
    if event[KIND] ~= PURCHASE then return false end
    sign = -1
  elseif whole then
    rest_of(v).i = {}
    sign = event[KIND] == PURCHASE and 0 or 1
  end
  if whole then v[CART_BASED] = t end
  local priced = agree_on_currency(v, event, sign)
  if sign ~= 0 then
    local lines = open(v, 'i')
    for _, item in ipairs(event.items) do
      change_cart(lines, priced and item or {item[1], item[2], UNKNOWN_PRICE, item[4], item[5]}, sign)
    end
  end
  v[CART_CHANGED] = math.max(v[CART_CHANGED], t)
  sum_up(v)
  return true
end

-- --- orders ---

local function add_revenue(v, currency, value)
  local sums = open(v, 'r')
  local _, row = row_of(sums, currency)
  if row then row[2] = math.min(row[2] + value, MAX_SUM) else sums[#sums + 1] = {currency, value} end
end

local function record_order(v, live, event)
  local bought = {}
  for _, item in ipairs(event.items) do bought[#bought + 1] = {item[1], item[2]} end
  insert_by_time(open(v, 'o'), {event.order, event[TIME], event.value, event.currency, bought}, 2, MAX_ORDERS)
  if live then
    v[ORDERS] = v[ORDERS] + 1
    add_revenue(v, event.currency, event.value)
  end
end

-- What the cart's kinds say besides: {currency, value in micro-units, order id, items as {id, quantity, price, name, category}}
local function open_sale(event)
  event.currency, event.value, event.order, event.items = unpack(cmsgpack.unpack(event[MORE]))
end

-- The lists of carts lie beside the visitor; of this key, {pN}:v:<site>:<visitor>, a site has no colon.
local function list_cart(v, key)
  local tag, site, visitor = key:match('^({.-}:)v:(.-):(.*)$')
  if v[PIECES] > 0 or #open(v, 'i') > 0 then call('ZADD', tag .. 'carts:' .. site, v[CART_CHANGED], visitor)
  else call('ZREM', tag .. 'carts:' .. site, visitor) end
  call('ZREM', tag .. 'abandoned:' .. site, visitor)
end
