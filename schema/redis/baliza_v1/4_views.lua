-- --- views ---
-- Viewed items are one text: a row for each, by the time of the last view. A row is eight fields, each behind a NUL, which no
-- text of an event has, and a letter of its own. So an item is found, and taken out, without making tables of the others; the \1
-- before a row makes the search quick, for there are few.
-- Numbers are written out. Whoever sends an event makes its rows, all but the number behind \0v, how often it was viewed.

local ROW = '^\1%zi(.-)%zc(.-)%zn(.-)%zx(.-)%zp(.-)%zt(.-)%zv(.*)$'

-- Small numbers as text: to write one out takes longer than to find an item.
local WRITTEN = {}
for number = 1, 99 do WRITTEN[number] = number .. '' end

-- Categories are one text too, of \0c, name, \0n and count. The latest stand last, so that a full list forgets what was left
-- longest ago. named: '\0c' .. name .. '\0n'
local function count_category(v, named)
  local counts, count = v[COUNTS], 1
  local from, to = find(counts, named, 1, true)
  if from then
    local digits = counts:match('^%d+', to + 1)
    count = digits + 1
    counts = sub(counts, 1, from - 1) .. sub(counts, to + #digits + 1)
  elseif v[CATEGORIES] == MAX_CATEGORIES then
    counts = sub(counts, (find(counts, '\0c', 2, true)))
  else
    v[CATEGORIES] = v[CATEGORIES] + 1
  end
  v[COUNTS] = counts .. named .. (WRITTEN[count] or count)
end

-- The row of an item that was viewed before, its time, and how often it was viewed now.
-- What is said now counts, but nothing said is no news; of two views the later one tells the price.
local function merged(old, new)
  local id, old_category, old_name, old_currency, old_price, old_time, views = old:match(ROW)
  local _, category, name, currency, price, time = new:match(ROW)
  if tonumber(time) < tonumber(old_time) then
    category, old_category, name, old_name, time = old_category, category, old_name, name, old_time
    currency, old_currency, price, old_price = old_currency, currency, old_price, price
  end
  if category == '' then category = old_category end
  if name == '' then name = old_name end
  if tonumber(price) < 0 then price, currency = old_price, old_currency end
  local row = '\1\0i' .. id .. '\0c' .. category .. '\0n' .. name .. '\0x' .. currency .. '\0p' .. price .. '\0t' .. time .. '\0v'
  return row, tonumber(time), views + 1
end

-- Where the first row begins that is later than that.
local function place_by_time(rows, t)
  local at = 1
  while at <= #rows and tonumber(rows:match('%zt(%d+)%zv', at)) <= t do at = find(rows, '\1\0i', at + 1, true) or #rows + 1 end
  return at
end

-- id: '\1\0i' .. item .. '\0c', which begins the row. VIEWED_AT: no row is later than that.
local function keep_viewed(v, id, row, t)
  local rows, views = v[VIEWS], 1
  local from = find(rows, id, 1, true)
  if from then
    local next_row = find(rows, '\1\0i', from + 1, true) or #rows + 1
    row, t, views = merged(sub(rows, from, next_row - 1), row)
    rows = sub(rows, 1, from - 1) .. sub(rows, next_row)
  else
    v[VIEWED] = v[VIEWED] + 1
  end
  if t >= v[VIEWED_AT] then
    rows, v[VIEWED_AT] = rows .. row .. (WRITTEN[views] or views), t
  else
    local at = place_by_time(rows, t)
    rows = sub(rows, 1, at - 1) .. row .. views .. sub(rows, at)
  end
  if v[VIEWED] > MAX_VIEWED then
    rows, v[VIEWED] = sub(rows, (find(rows, '\1\0i', 2, true))), MAX_VIEWED
  end
  v[VIEWS] = rows
end

-- MORE: of each item the lengths of what its row begins with, of its category and of the row, and the row.
local function view_items(v, event, live)
  local packed, at, end_ = event[MORE], 1, #event[MORE]
  local begin, category, size, row
  while at <= end_ do
    begin, category, size, at = unpack_struct('<I2I2I4', packed, at)
    row = sub(packed, at, at + size - 1)
    at = at + size
    keep_viewed(v, sub(row, 1, begin), row, event[TIME])
    if live and category > 0 then count_category(v, sub(row, begin - 1, begin + category + 2)) end
  end
end

-- --- offers seen ---
-- {item, how often its offer was seen since it was last clicked, when last, 1 if it was dismissed}; the latest stand last, so that
-- a full list forgets what was left longest ago. MORE: the items of the event.

local function note_offers(v, event)
  local seen, kind = open(v, 's'), event[KIND]
  for _, id in ipairs(cmsgpack.unpack(event[MORE])) do
    local place, row = row_of(seen, id)
    if place then table.remove(seen, place) end
    if kind ~= OFFER_CLICKED then
      row = row or {id, 0, 0, 0}
      row[2], row[3] = row[2] + (kind == OFFER_SHOWN and 1 or 0), math.max(row[3], event[TIME])
      if kind == OFFER_DISMISSED then row[4] = 1 end
      push_bounded(seen, row, MAX_SEEN)
    end
  end
end
