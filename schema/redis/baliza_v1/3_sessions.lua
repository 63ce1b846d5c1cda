-- --- sessions ---
-- The live session is there when it has an id.

local function close_session(v)
  if v[SESSION] == '' then return end
  push_bounded(open(v, 'p'), {v[SESSION], v[OPENED], v[STARTED], v[ENDED]}, MAX_PAST)
  for place = OPENED, CATEGORIES do v[place] = 0 end
  v[SESSION], v[COUNTS] = '', ''
  local rest = rest_of(v)
  rest.u, rest.q, rest.r = '', '', ''
end

local function land(v, event)
  rest_of(v).u = event[LANDING]
  v[LANDED] = event[LANDING]:byte() and event[LANDING]:byte() ~= 0 and 1 or 0
end

local function open_session(v, event)
  close_session(v)
  v[SESSIONS] = v[SESSIONS] + 1
  v[SESSION], v[OPENED], v[STARTED], v[ENDED] = event[HASH], event[TIME], event[TIME], event[TIME]
  land(v, event)
end

-- Sessions are cut by the time of the event, not by its arrival. A late event joins the session that it fell into;
-- where there was none it makes one that is over already.
local function late_session(v, event, rules)
  local sessions = open(v, 'p')
  for place = #sessions, 1, -1 do
    local past = sessions[place]
    if event[TIME] >= past[3] - rules.idle and event[TIME] <= past[4] + rules.idle
       and math.max(event[TIME], past[4]) - math.min(event[TIME], past[3]) <= rules.max then
      past[3], past[4] = math.min(past[3], event[TIME]), math.max(past[4], event[TIME])
      return past[1], past[2]
    end
  end
  push_bounded(sessions, {event[HASH], event[TIME], event[TIME], event[TIME]}, MAX_PAST)
  v[SESSIONS] = v[SESSIONS] + 1
  return event[HASH], event[TIME]
end

-- Answers the session's id and opening time, and whether it is the live one.
local function session_of(v, event, rules, foreign)
  if foreign then return late_session(v, event, rules) end
  local t, started, ended = event[TIME], v[STARTED], v[ENDED]
  if v[SESSION] == '' or t > ended + rules.idle or (t > ended and t - started > rules.max) then
    open_session(v, event)
    return v[SESSION], t, true
  elseif t < started - rules.idle or (t < started and ended - t > rules.max) then
    return late_session(v, event, rules)
  end
  if (v[LANDED] == 0 or t < started) and event[LANDING] ~= '' and event[LANDING]:byte() ~= 0 then land(v, event) end
  if t < started then v[STARTED] = t end
  if t > ended then v[ENDED] = t end
  return v[SESSION], v[OPENED], true
end

-- Anonymous to known attaches. Known to somebody else is another person on the same browser: what is live belongs to
-- the first, so the second starts with a session, cart and views of their own.
-- Answers whether the event is from before the present person came (then it must not touch what is live), and whether
-- the cart was taken away.
-- KNOWN_SINCE: since when the present person is known, where another was before; 0 where nobody was.
local function identify(v, event)
  if event[TIME] >= v[KNOWN_SINCE] and (event[WHO] == '' or event[WHO] == v[CUSTOMER]) then return false, false end
  local links = open(v, 'k')
  local link, before = links[#links], links[#links - 1]
  if event[TIME] < v[KNOWN_SINCE] then
    if event[WHO] ~= v[CUSTOMER] or event[TIME] < before[2] then return true, false end
    if v[CART_BASED] == link[2] then v[CART_BASED] = event[TIME] end
    link[2], v[KNOWN_SINCE] = event[TIME], event[TIME]
    return false, false
  end
  push_bounded(links, {event[WHO], event[TIME]}, MAX_ORDERS)
  local another = v[CUSTOMER] ~= ''
  v[CUSTOMER] = event[WHO]
  if not another then return false, false end
  close_session(v)
  v[KNOWN_SINCE], v[VIEWS], v[VIEWED], v[VIEWED_AT] = event[TIME], '', 0, 0
  v[CART_CHANGED], v[CART_BASED], v[PIECES], v[VALUE], v[CURRENCY] = 0, event[TIME], 0, 0, ''
  local rest = rest_of(v)
  rest.o, rest.i, rest.s = '', '', ''
  return false, true
end
