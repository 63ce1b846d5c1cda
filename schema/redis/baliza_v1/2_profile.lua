-- --- the profile ---
-- One value: a head of numbers and texts (struct is a tenth of the price of cmsgpack), then lists, each packed on its own.
-- schema/profile.py reads it in the same order and gives the fields their names.

local LAYOUT = 2
local FORMAT = '<B' .. ('d'):rep(20) .. ('I4c0'):rep(14)

-- A list as a table. It stays one until the profile is packed.
local function open(owner, name)
  local rows = owner[name]
  if type(rows) == 'string' then
    rows = rows == '' and {} or cmsgpack.unpack(rows)
    owner[name] = rows
  end
  return rows
end

local function closed(rows)
  if type(rows) == 'string' then return rows end
  return #rows == 0 and '' or cmsgpack.pack(rows)
end

local function unpack_visitor(stored)
  local v, t, s, layout = {}, {}, {}, nil
  layout, v.f, v.l, v.n, v.e, v.d, v.x, v.ks, v.wt, t.m, t.y, t.p, t.v, s.o, s.a, s.z, s.n, s.pv, s.iv, s.ca, s.b,
  v.c, v.h, t.x, s.i, s.lu, s.lr, s.q, v.k, v.p, v.w, v.o, t.i, s.r, s.g = struct.unpack(FORMAT, stored)
  v.t, v.s = t, s.i ~= '' and s or nil
  return v
end

local NO_SESSION = {o = 0, a = 0, z = 0, n = 0, pv = 0, iv = 0, ca = 0, b = 0, i = '', lu = '', lr = '', q = '', r = '',
                    g = ''}

local function pack_visitor(v)
  local t, s = v.t, v.s or NO_SESSION
  local k, p, w, o, i, r, g = closed(v.k), closed(v.p), closed(v.w), closed(v.o), closed(t.i), closed(s.r), closed(s.g)
  return struct.pack(FORMAT, LAYOUT, v.f, v.l, v.n, v.e, v.d, v.x, v.ks, v.wt, t.m, t.y, t.p, t.v, s.o, s.a, s.z, s.n, s.pv,
    s.iv, s.ca, s.b, #v.c, v.c, #v.h, v.h, #t.x, t.x, #s.i, s.i, #s.lu, s.lu, #s.lr, s.lr, #s.q, s.q, #k, k, #p, p, #w, w,
    #o, o, #i, i, #r, r, #g, g)
end

local function new_visitor(t)
  return {f = t, l = t, n = 0, e = 0, d = 0, x = 0, ks = 0, wt = 0, c = '', h = '', k = '', p = '', w = '', o = '',
          t = {m = 0, y = 0, p = 0, v = 0, x = '', i = ''}}
end

local function load_visitor(key)
  local stored = redis.call('GET', key)
  if stored and stored:byte() == LAYOUT then
    local read, visitor = pcall(unpack_visitor, stored)
    if read then return visitor end
  end
end

-- To say anew with each event when the profile ends costs half as much as storing it: once a day is enough.
local function store_visitor(visitor, key, now, ttl)
  if visitor.x >= now + ttl and visitor.x <= now + ttl + DAY_MS then
    redis.call('SET', key, pack_visitor(visitor), 'KEEPTTL')
  else
    visitor.x = now + ttl + DAY_MS
    redis.call('SET', key, pack_visitor(visitor), 'PX', ttl + DAY_MS)
  end
end
