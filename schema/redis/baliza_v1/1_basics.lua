#!lua name=baliza_v1
-- The session profile, kept atomically. Everything here works on keys of one partition (one hash tag).
-- The files of this folder are one library, put together in the order of their names and loaded at start-up. From the
-- first release on a change of behaviour gets a new version number, so that old processes keep their own functions.
-- Money is whole micro-units, time is milliseconds since the epoch, UTC.
-- Every event pays for what stands here: each table and each text that is made costs more than what is done with it. So what
-- an event does not touch stays packed, and what comes and goes is built by struct, which makes no tables.

local MAX_VIEWED, MAX_CATEGORIES, MAX_CART, MAX_ORDERS, MAX_PAST, MAX_SEEN = 20, 20, 100, 10, 16, 40
local DAY_MS = 24 * 3600 * 1000
-- Event ids that lie in the profile itself; the older ones of who has more go to a set.
local HASH_LENGTH, MAX_RECENT, KEPT_RECENT = 11, 48, 16
-- As in schema/events.py. Whatever is summed up stays below 2^53, where a Lua number is exact and is packed as an integer.
local MAX_QUANTITY, MAX_MICROS, MAX_SUM, UNKNOWN_PRICE = 100000, 1e15, 9e15, -1
local CLAIM_HOLDS_MS, SETTLED, HEARSAY, TRUSTED = 60000, '+', '-', '='

-- An event, as observed_events() of tracker/observe.py writes it: place in the body, hash, kind, time, page and its referrer with
-- NUL between them (one of them may be empty, or both), customer, search term, and what its kind says besides.
local EVENT = '<I2c' .. HASH_LENGTH .. 'BdI2c0I2c0I2c0I4c0'
local PLACE, HASH, KIND, TIME, LANDING, WHO, SEARCH, MORE, END = 1, 2, 3, 4, 5, 6, 7, 8, 9
-- Kinds as in schema/profile.py; 0 is any other. The first three have counters of their own.
local PAGE_VIEW, VIEW_ITEM, ADD_TO_CART, REMOVE_FROM_CART, SYNC_CART, PURCHASE = 1, 2, 3, 4, 5, 6
local OFFER_SHOWN, OFFER_CLICKED, OFFER_DISMISSED = 7, 8, 9
local WHOLE_CART = {[SYNC_CART] = true, [PURCHASE] = true}
local CART_DELTA = {[ADD_TO_CART] = 1, [REMOVE_FROM_CART] = -1}

-- Every use would look for them again. Those of the second line are not there before the first call: see observe().
local sub, find = ('').sub, ('').find
local pack, unpack_struct, call

local function row_of(rows, id)
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
