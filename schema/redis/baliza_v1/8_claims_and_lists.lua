-- Claims an order id, so that an order counts once from wherever it comes. The claim is settled (settle_order) when the order
-- is counted. Until then the same claimant may claim again (a retry), others are asked to wait (who claimed it may be lost
-- before counting it), and anybody may have it once the claim is old. What a sender says who is not trusted about money is
-- hearsay: it keeps off more hearsay, but never the order itself, which would lose its revenue.
-- KEYS[1] orders   ARGV[1] order id   ARGV[2] claimant (event hash)  ARGV[3] now (ms)  ARGV[4] 1 from a trusted sender, else 0.
-- Answers 1 when it is the claimant's, 0 when it is counted, 2 when somebody else is about to count it.
local function claim_order(keys, args)
  local held = redis.call('HGET', keys[1], args[1]) or ''
  local mark = args[4] == '0' and HEARSAY or TRUSTED
  if mark == TRUSTED and held:sub(1, 1) == HEARSAY then held = '' end
  if held == SETTLED or held == HEARSAY then return 0 end
  local claimant, since = held:match('^(.+):(%d+)$')
  -- After a clock was set back, an old claim is one of the future.
  local age = claimant and math.abs(tonumber(args[3]) - tonumber(since))
  if claimant and claimant ~= mark .. args[2] and age < CLAIM_HOLDS_MS then return 2 end
  redis.call('HSET', keys[1], args[1], mark .. args[2] .. ':' .. args[3])
  return 1
end

-- Ends the claim of an order that is counted. Hearsay never takes the place of what a trusted sender said or is about to say.
-- KEYS[1] orders   ARGV[1] order id   ARGV[2] + or -.   Answers 1 when it is noted.
local function settle_order(keys, args)
  if args[2] == HEARSAY and (redis.call('HGET', keys[1], args[1]) or HEARSAY):sub(1, 1) ~= HEARSAY then return 0 end
  redis.call('HSET', keys[1], args[1], args[2])
  return 1
end

-- Moves a visitor from carts to abandoned if, looked at now, the cart still holds something and has been idle.
-- KEYS[1] visitor  KEYS[2] carts  KEYS[3] abandoned   ARGV[1] visitor id  ARGV[2] changed at or before (ms)  ARGV[3] now (ms)
-- Answers 1 when it was marked, 0 when there was nothing (any more) to mark.
local function mark_abandoned(keys, args)
  local changed = redis.call('ZSCORE', keys[2], args[1])
  if not changed or tonumber(changed) > tonumber(args[2]) then return 0 end
  if redis.call('EXISTS', keys[1]) == 0 then
    redis.call('ZREM', keys[2], args[1])
    redis.call('ZREM', keys[3], args[1])
    return 0
  end
  return redis.call('ZADD', keys[3], 'NX', args[3], args[1])
end

-- Takes a cart off both lists because the person bought elsewhere. The cart must not have changed after the purchase.
-- KEYS[1] carts  KEYS[2] abandoned   ARGV[1] visitor id  ARGV[2] purchase time (ms).   Answers 1 when it was taken off.
local function cancel_cart(keys, args)
  local changed = redis.call('ZSCORE', keys[1], args[1])
  if not changed or tonumber(changed) > tonumber(args[2]) then return 0 end
  redis.call('ZREM', keys[2], args[1])
  return redis.call('ZREM', keys[1], args[1])
end

-- Remembers the time of a customer's last purchase; repeating it changes nothing.
-- KEYS[1] customer   ARGV[1] purchase time (ms)   ARGV[2] ttl (ms)
local function note_purchase(keys, args)
  local last = tonumber(redis.call('HGET', keys[1], 'last_purchase') or '0')
  if tonumber(args[1]) > last then redis.call('HSET', keys[1], 'last_purchase', args[1]) end
  redis.call('PEXPIRE', keys[1], args[2])
  return 1
end

-- Remembers on whose browser a customer was known last; repeating it changes nothing.
-- KEYS[1] customer   ARGV[1] visitor id   ARGV[2] when (ms)   ARGV[3] ttl (ms)
local function note_visit(keys, args)
  if tonumber(args[2]) >= tonumber(redis.call('HGET', keys[1], 'seen_at') or '0') then
    redis.call('HSET', keys[1], 'visitor', args[1], 'seen_at', args[2])
  end
  redis.call('PEXPIRE', keys[1], args[3])
  return 1
end

-- Writes down which ranges are about to be stored, if the lease is still the caller's and no batch is open.
-- KEYS[1] lease  KEYS[2] manifest   ARGV[1] owner  ARGV[2] manifest.   Answers 1 when it was written down, else 0.
local function plan_batch(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('SET', keys[2], args[2], 'NX') and 1 or 0
end

-- Forgets a batch that is stored and trimmed, unless another one took its place.
-- KEYS[1] manifest   ARGV[1] manifest
local function close_batch(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('DEL', keys[1])
end

-- Who empties a full store must not be stopped by its being full, nor who ends what was begun.
local function register_always(name, callback)
  redis.register_function{function_name = name, callback = callback, flags = {'allow-oom'}}
end

register_always('plan_batch_v1', plan_batch)
register_always('close_batch_v1', close_batch)
register_always('settle_order_v1', settle_order)
register_always('note_purchase_v1', note_purchase)
register_always('note_visit_v1', note_visit)
redis.register_function('claim_order_v2', claim_order)
redis.register_function('mark_abandoned_v1', mark_abandoned)
redis.register_function('cancel_cart_v1', cancel_cart)
