-- --- views ---

local function place_of(pairs_flat, name)
  for place = 1, #pairs_flat, 2 do
    if pairs_flat[place] == name then return place end
  end
end

-- Categories are a flat list of name and count. The latest stand last, so that a full list forgets what was left longest ago.
local function count_category(s, category)
  if category == '' then return end
  local counts = open(s, 'g')
  local last = #counts
  if counts[last - 1] == category then
    counts[last] = counts[last] + 1
    return
  end
  local place, count = place_of(counts, category), 1
  if place then
    count = table.remove(counts, place + 1) + 1
    table.remove(counts, place)
  elseif last >= 2 * MAX_CATEGORIES then
    table.remove(counts, 1)
    table.remove(counts, 1)
  end
  last = #counts
  counts[last + 1], counts[last + 2] = category, count
end

-- A row of a viewed item: {category, name, views, time, price, currency}.
-- What is said now counts, but nothing said is no news; of two views the later one tells the price.
local function viewed_row(old, item, event)
  local row = {item[5], item[4], 1, event.t, item[3], event.x}
  if not old then return row end
  local late = event.t < old[4]
  local newer, older = late and old or row, late and row or old
  local priced = newer[5] >= 0 and newer or older
  return {newer[1] ~= '' and newer[1] or older[1], newer[2] ~= '' and newer[2] or older[2], old[3] + 1, newer[4], priced[5],
          priced[6]}
end

-- Viewed items are a flat list of id and packed row, by the time of the last view: of twenty only the one that is looked at
-- again is unpacked. visitor.wt: no row is later than that.
local function keep_viewed(visitor, rows, id, row)
  local place, at = #rows + 1, row[4]
  if at < visitor.wt then
    while place > 1 and cmsgpack.unpack(rows[place - 1])[4] > at do place = place - 2 end
  else
    visitor.wt = at
  end
  if place > #rows then
    rows[place], rows[place + 1] = id, cmsgpack.pack(row)
  else
    table.insert(rows, place, cmsgpack.pack(row))
    table.insert(rows, place, id)
  end
  if #rows > 2 * MAX_VIEWED then
    table.remove(rows, 1)
    table.remove(rows, 1)
  end
end

-- event.i: items as {id, quantity, price, name, category}
local function view_items(visitor, s, event)
  local rows = open(visitor, 'w')
  for _, item in ipairs(event.i) do
    local place, old = place_of(rows, item[1]), nil
    if place then
      old = cmsgpack.unpack(table.remove(rows, place + 1))
      table.remove(rows, place)
    end
    keep_viewed(visitor, rows, item[1], viewed_row(old, item, event))
    if s then count_category(s, item[5]) end
  end
end
