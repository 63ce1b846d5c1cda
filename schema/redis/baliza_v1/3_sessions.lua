-- --- sessions ---

local function close_session(visitor)
  local s = visitor.s
  if s then push_bounded(open(visitor, 'p'), {s.i, s.o, s.a, s.z}, MAX_PAST) end
  visitor.s = nil
end

local function open_session(visitor, event)
  close_session(visitor)
  visitor.n = visitor.n + 1
  visitor.s = {i = event.h, o = event.t, a = event.t, z = event.t, n = 0, pv = 0, iv = 0, ca = 0, b = 0, r = '',
               lu = event.u, lr = event.r, q = '', g = ''}
  return visitor.s
end

-- Sessions are cut by the time of the event, not by its arrival. A late event joins the session that it fell into;
-- where there was none it makes one that is over already.
local function late_session(visitor, event, rules)
  local sessions = open(visitor, 'p')
  for place = #sessions, 1, -1 do
    local past = sessions[place]
    if event.t >= past[3] - rules.idle and event.t <= past[4] + rules.idle
       and math.max(event.t, past[4]) - math.min(event.t, past[3]) <= rules.max then
      past[3], past[4] = math.min(past[3], event.t), math.max(past[4], event.t)
      return past[1], past[2]
    end
  end
  push_bounded(sessions, {event.h, event.t, event.t, event.t}, MAX_PAST)
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
  if event.t < s.a then s.a = event.t end
  if event.t > s.z then s.z = event.t end
  return s.i, s.o, s
end

-- Anonymous to known attaches. Known to somebody else is another person on the same browser: what is live belongs to
-- the first, so the second starts with a session, cart and views of their own.
-- Answers whether the event is from before the present person came (then it must not touch what is live), and whether
-- the cart was taken away.
-- visitor.ks: since when the present person is known, where another was before; 0 where nobody was.
local function identify(visitor, event)
  if event.t >= visitor.ks and (event.c == '' or event.c == visitor.c) then return false, false end
  local links = open(visitor, 'k')
  local link, before = links[#links], links[#links - 1]
  if event.t < visitor.ks then
    if event.c ~= visitor.c or event.t < before[2] then return true, false end
    if visitor.t.y == link[2] then visitor.t.y = event.t end
    link[2], visitor.ks = event.t, event.t
    return false, false
  end
  push_bounded(links, {event.c, event.t}, MAX_ORDERS)
  local another = visitor.c ~= ''
  visitor.c = event.c
  if not another then return false, false end
  close_session(visitor)
  visitor.ks, visitor.w, visitor.wt, visitor.o = event.t, '', 0, ''
  visitor.t = {m = 0, y = event.t, p = 0, v = 0, x = '', i = ''}
  return false, true
end
