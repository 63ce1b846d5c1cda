-- --- the profile ---
-- One value: numbers, the texts that most events need, and the rest, which is packed once more and opened by who needs it.
-- Here it is a list, in the order of its layout. schema/profile.py reads the same and gives the fields their names.

local LAYOUT = 4
local FIRST_SEEN, LAST_SEEN, SESSIONS, SEEN_UNTIL, BEFORE_UNTIL, EXPIRES, KNOWN_SINCE = 2, 3, 4, 5, 6, 7, 8
local VIEWED_AT, VIEWED, CART_CHANGED, CART_BASED, PIECES, VALUE = 9, 10, 11, 12, 13, 14
-- Of the live session. Behind EVENTS stand the counters of the first kinds of events, in their order.
local OPENED, STARTED, ENDED, EVENTS, ORDERS, LANDED, CATEGORIES = 15, 16, 17, 18, 22, 23, 24
local CUSTOMER, CURRENCY, SESSION, RECENT, VIEWS, COUNTS, REST = 25, 26, 27, 28, 29, 30, 31
local FORMAT = '<B' .. ('d'):rep(23) .. 'I2c0Bc0Bc0I2c0I4c0I4c0I4c0'
local REST_FORMAT = '<' .. ('I4c0'):rep(8)

-- What few events need: landing page (u) and search (q) of the session; and lists, each packed until it is opened: revenue of
-- the session (r), past sessions (p), links (k), orders (o), lines of the cart (i), offers seen (s).
local function rest_of(v)
  local rest = v.rest
  if not rest then
    rest = {u = '', q = '', r = '', p = '', k = '', o = '', i = '', s = ''}
    if v[REST] ~= '' then
      rest.u, rest.q, rest.r, rest.p, rest.k, rest.o, rest.i, rest.s = unpack_struct(REST_FORMAT, v[REST])
    end
    v.rest = rest
  end
  return rest
end

-- A list of the rest as a table. It stays one until the profile is packed.
local function open(v, name)
  local rest = rest_of(v)
  local rows = rest[name]
  if type(rows) == 'string' then
    rows = rows == '' and {} or cmsgpack.unpack(rows)
    rest[name] = rows
  end
  return rows
end

local function closed(rows)
  if type(rows) == 'string' then return rows end
  return #rows == 0 and '' or cmsgpack.pack(rows)
end

local function packed_rest(v)
  local rest = v.rest
  if not rest then return v[REST] end
  local r, p, k, o, i, s = closed(rest.r), closed(rest.p), closed(rest.k), closed(rest.o), closed(rest.i), closed(rest.s)
  return pack(REST_FORMAT, #rest.u, rest.u, #rest.q, rest.q, #r, r, #p, p, #k, k, #o, o, #i, i, #s, s)
end

local function pack_visitor(v)
  local c, x, s, h, w, g, rest = v[CUSTOMER], v[CURRENCY], v[SESSION], v[RECENT], v[VIEWS], v[COUNTS], packed_rest(v)
  return pack(FORMAT, LAYOUT, v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15],
    v[16], v[17], v[18], v[19], v[20], v[21], v[22], v[23], v[24], #c, c, #x, x, #s, s, #h, h, #w, w, #g, g, #rest, rest)
end

local function unpack_visitor(stored)
  return {unpack_struct(FORMAT, stored)}
end

local function new_visitor(t)
  return {LAYOUT, t, t, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '', '', '', ''}
end

local function load_visitor(key)
  local stored = call('GET', key)
  if stored and stored:byte() == LAYOUT then
    local read, v = pcall(unpack_visitor, stored)
    if read then return v end
  end
end

-- To say anew with each event when the profile ends costs half as much as storing it: once a day is enough.
local function store_visitor(v, key, now, ttl)
  local ends = v[EXPIRES]
  if ends >= now + ttl and ends <= now + ttl + DAY_MS then
    call('SET', key, pack_visitor(v), 'KEEPTTL')
  else
    v[EXPIRES] = now + ttl + DAY_MS
    call('SET', key, pack_visitor(v), 'PX', ttl + DAY_MS)
  end
end
