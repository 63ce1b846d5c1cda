#!lua name=baliza_v1
-- The session profile, kept atomically. Everything here works on keys of one partition (one hash tag).
-- The files of this folder are one library, put together in the order of their names and loaded at start-up. From the
-- first release on a change of behaviour gets a new version number, so that old processes keep their own functions.
-- Money is whole micro-units, time is milliseconds since the epoch, UTC.
-- Every event pays for what stands here, so lists that it does not touch stay packed, and short cuts say what they save.

local MAX_VIEWED, MAX_CATEGORIES, MAX_CART, MAX_ORDERS, MAX_PAST = 20, 20, 100, 10, 16
local DAY_MS = 24 * 3600 * 1000
-- Event ids that lie in the profile itself; the older ones of who has more go to a set.
local HASH_LENGTH, MAX_RECENT, KEPT_RECENT = 11, 48, 16
-- As in schema/events.py. Whatever is summed up stays below 2^53, where a Lua number is exact and is packed as an integer.
local MAX_QUANTITY, MAX_MICROS, MAX_SUM, UNKNOWN_PRICE = 100000, 1e15, 9e15, -1
local CLAIM_HOLDS_MS, SETTLED, HEARSAY, TRUSTED = 60000, '+', '-', '='

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
