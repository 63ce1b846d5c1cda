/*! baliza beacon: <script async src="https://shop.example/b.js" data-site="pk_..."></script> */
(function () {
  'use strict';

  const MAX_WAITING = 1000; // events kept; the oldest go first
  const MAX_BATCH = 50; // events a request
  const MAX_BODY = 60000; // bytes; browsers refuse more than 64 KiB in keepalive requests
  const MAX_EVENT = 32000; // bytes; the server takes no larger event
  const MAX_ITEMS = 200;
  const MAX_PROPERTIES = 20;
  const SEND_AFTER = 200; // ms
  const RETRY_FIRST = 1000; // ms, doubled by each failure
  const RETRY_MOST = 60000; // ms
  const RETRY_AFTER_MOST = 3600; // s; a server may ask for no longer silence

  // The shop's dataLayer also carries other tools' events; page_view is left out because the beacon sees pages itself.
  const DATA_LAYER_TYPES = (
    'view_item_list select_item view_item search add_to_cart remove_from_cart view_cart begin_checkout ' +
    'add_shipping_info add_payment_info purchase refund view_promotion select_promotion login sign_up generate_lead'
  ).split(' ');
  const TEXT_FIELDS = 'currency transaction_id coupon response_code decision_id placement search_term consent'.split(' ');
  const NUMBER_FIELDS = ['value', 'shipping', 'tax'];
  const ITEM_NUMBERS = ['price', 'quantity', 'discount', 'index'];
  const NOT_PROPERTIES = TEXT_FIELDS.concat(NUMBER_FIELDS, [
    'event', 'ecommerce', 'items', 'content', 'user_id', 'customer_id', 'send_to', 'event_callback', 'event_timeout',
  ]);

  const script = document.currentScript || document.querySelector('script[data-site]');
  const early = window.baliza;
  if (!script || (early && early.ready)) return;

  const key = script.getAttribute('data-site');
  const endpoint = new URL(script.src, location.href).origin + '/o';
  const store = openStore();

  function warn(error) {
    if (script.hasAttribute('data-debug')) console.warn('baliza:', error);
  }

  // Nothing that goes wrong in here may reach the page.
  function guarded(task) {
    return function () {
      try {
        return task.apply(this, arguments);
      } catch (error) {
        return warn(error);
      }
    };
  }

  // Storage that is full or forbidden throws; then this page's memory has to do.
  function openStore() {
    try {
      window.localStorage.setItem('bz_t', '1');
      window.localStorage.removeItem('bz_t');
      return window.localStorage;
    } catch (error) {
      const memory = new Map();
      return {
        getItem: (name) => (memory.has(name) ? memory.get(name) : null),
        setItem: (name, value) => memory.set(name, value),
        removeItem: (name) => memory.delete(name),
      };
    }
  }

  function uuid() {
    // randomUUID exists on https pages only.
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  function visitorId() {
    let id = store.getItem('bz_v');
    if (!id) {
      id = uuid();
      store.setItem('bz_v', id);
    }
    return id;
  }

  const isScalar = (value) => ['string', 'number', 'boolean'].indexOf(typeof value) >= 0 && !Number.isNaN(value);
  const byteLength = (text) => new TextEncoder().encode(text).length;

  function finite(value) {
    const number = typeof value === 'string' && value.trim() ? Number(value) : value;
    return typeof number === 'number' && isFinite(number) ? number : undefined;
  }

  // ---- queue: every event is stored before it is sent, and leaves the store when the server has answered

  let timer = 0;
  let failures = 0;
  const inFlight = new Set();

  function waiting() {
    try {
      const events = JSON.parse(store.getItem('bz_q') || '[]');
      return Array.isArray(events) ? events : [];
    } catch (error) {
      return [];
    }
  }

  function keep(events) {
    let kept = events.slice(-MAX_WAITING);
    while (kept.length) {
      try {
        return store.setItem('bz_q', JSON.stringify(kept));
      } catch (error) {
        kept = kept.slice(Math.ceil(kept.length / 2)); // the page's quota is used up: the older half goes
      }
    }
    return store.removeItem('bz_q');
  }

  function forget(batch) {
    const gone = new Set(batch.map((event) => event.event_id));
    keep(waiting().filter((event) => !gone.has(event.event_id)));
  }

  function nextBatch() {
    const free = waiting().filter((event) => !inFlight.has(event.event_id));
    const batch = [];
    let room = MAX_BODY;
    for (const event of free.slice(0, MAX_BATCH)) {
      room -= byteLength(JSON.stringify(event)) + 1;
      if (room < 0) break;
      batch.push(event);
    }
    return batch;
  }

  function schedule(delay) {
    if (!timer) timer = setTimeout(guarded(() => { timer = 0; send(); }), delay);
  }

  function retryDelay(answer) {
    const own = Math.min(RETRY_MOST, RETRY_FIRST * Math.pow(2, failures - 1)) * (0.5 + Math.random() / 2);
    const asked = answer ? finite(answer.headers.get('Retry-After')) || 0 : 0;
    return Math.max(own, Math.min(asked, RETRY_AFTER_MOST) * 1000);
  }

  function settle(batch, answer) {
    batch.forEach((event) => inFlight.delete(event.event_id));
    // 408: the way was too slow this time. What else is refused below 500 would be refused again.
    if (answer && answer.status !== 408 && answer.status !== 429 && answer.status < 500) {
      failures = 0;
      forget(batch);
      if (waiting().length) schedule(0);
      return;
    }
    failures += 1;
    clearTimeout(timer);
    timer = 0;
    schedule(retryDelay(answer));
  }

  function send() {
    const events = nextBatch();
    if (!events.length) return;
    events.forEach((event) => inFlight.add(event.event_id));
    const done = guarded((answer) => {
      settle(events, answer);
      // A body that nobody reads shows up as a cancelled request in the shop's developer tools.
      if (answer) answer.text().catch(() => undefined);
    });
    fetch(endpoint, {
      method: 'POST',
      keepalive: true,
      credentials: 'include',
      headers: { 'Content-Type': 'text/plain' },
      body: JSON.stringify({ key, visitor: visitorId(), sent_at: new Date().toISOString(), events }),
    }).then(done, () => done(null));
  }

  // The page may never come back from here, so what is new must not wait for the timer; what waits for a retry may.
  function leave() {
    if (failures) return;
    clearTimeout(timer);
    timer = 0;
    send();
  }

  // ---- events

  function cleanItem(raw) {
    const item = {};
    Object.keys(raw || {}).forEach((name) => {
      if (isScalar(raw[name])) item[name] = ITEM_NUMBERS.indexOf(name) < 0 ? String(raw[name]) : finite(raw[name]);
    });
    item.item_id = item.item_id || item.item_name;
    item.quantity = item.quantity === undefined ? 1 : Math.round(item.quantity);
    return item.item_id ? item : null;
  }

  function properties(params) {
    const chosen = {};
    Object.keys(params)
      .filter((name) => NOT_PROPERTIES.indexOf(name) < 0 && !/^gtm\./.test(name) && name.length <= 50 && isScalar(params[name]))
      .slice(0, MAX_PROPERTIES)
      .forEach((name) => { chosen[name] = typeof params[name] === 'string' ? params[name].slice(0, 500) : params[name]; });
    return Object.keys(chosen).length ? chosen : undefined;
  }

  function fields(params) {
    const event = {};
    TEXT_FIELDS.forEach((name) => {
      if (isScalar(params[name]) && params[name] !== '') event[name] = String(params[name]).slice(0, 200);
    });
    NUMBER_FIELDS.forEach((name) => { event[name] = finite(params[name]); });
    if (event.currency) event.currency = event.currency.toUpperCase();
    if (params.content && typeof params.content === 'object') event.content = params.content;
    if (Array.isArray(params.items)) event.items = params.items.slice(0, MAX_ITEMS).map(cleanItem).filter(Boolean);
    event.properties = properties(params);
    return event;
  }

  let pageUrl = location.href;
  let pageReferrer = document.referrer;

  function record(type, given) {
    const params = given && typeof given === 'object' ? given : {};
    const customer = params.customer_id || params.user_id;
    if (customer) store.setItem('bz_c', String(customer));
    const event = Object.assign(
      {
        event_id: uuid(),
        type,
        occurred_at: new Date().toISOString(),
        page: { url: pageUrl.slice(0, 2000), referrer: pageReferrer.slice(0, 2000), title: document.title.slice(0, 300) },
        customer_id: store.getItem('bz_c') || undefined,
      },
      fields(params)
    );
    if (byteLength(JSON.stringify(event)) > MAX_EVENT) return warn('event is larger than 32 KB: ' + type);
    keep(waiting().concat([event]));
    return schedule(SEND_AFTER);
  }

  // ---- what the page may ask for: baliza('event', name, params) and its like

  const calls = {
    event: (name, params) => record(String(name), params),
    identify: (id) => {
      if (id && store.getItem('bz_c') !== String(id)) record('login', { customer_id: id });
    },
    logout: () => store.removeItem('bz_c'),
    cart: (items, params) => record('sync_cart', Object.assign({}, params, { items: items || [] })),
  };

  const call = guarded(function (name) {
    if (!Object.prototype.hasOwnProperty.call(calls, name)) return warn('no such call: ' + name);
    return calls[name].apply(null, Array.prototype.slice.call(arguments, 1));
  });

  // ---- the shop's dataLayer: gtag('event', name, params), or {event, ecommerce: {...}}

  const readPush = guarded((entry) => {
    if (!entry || typeof entry !== 'object') return;
    const isGtag = entry[0] === 'event';
    const type = isGtag ? entry[1] : entry.event;
    if (DATA_LAYER_TYPES.indexOf(type) < 0) return;
    record(type, isGtag ? entry[2] : Object.assign({}, entry, entry.ecommerce));
  });

  function followDataLayer() {
    const layer = (window.dataLayer = window.dataLayer || []);
    Array.prototype.forEach.call(layer, readPush);
    const push = layer.push;
    layer.push = function () {
      const answer = push.apply(layer, arguments);
      Array.prototype.forEach.call(arguments, readPush);
      return answer;
    };
  }

  // ---- pages

  // A plain #anchor is the same page; #/route and #!route are how older single-page shops name theirs.
  const pageOf = (url) => url.replace(/#(?![/!]).*$/, '');

  function lookForNewPage() {
    if (pageOf(location.href) === pageOf(pageUrl)) return;
    pageReferrer = pageUrl;
    pageUrl = location.href;
    record('page_view');
  }

  function followHistory() {
    ['pushState', 'replaceState'].forEach((name) => {
      const original = history[name];
      history[name] = function () {
        const answer = original.apply(history, arguments);
        guarded(lookForNewPage)();
        return answer;
      };
    });
    window.addEventListener('popstate', guarded(lookForNewPage));
    // A page that comes back out of the browser's page cache is seen again without being loaded again.
    window.addEventListener('pageshow', guarded((show) => { if (show.persisted) record('page_view'); }));
  }

  function start() {
    const asked = (early && early.q) || [];
    const isIdentity = (args) => args[0] === 'identify' || args[0] === 'logout';
    // Who it is comes first, so that the page view already says so.
    asked.filter(isIdentity).forEach((args) => call.apply(null, args));
    record('page_view');
    asked.filter((args) => !isIdentity(args)).forEach((args) => call.apply(null, args));
    followDataLayer();
    followHistory();
    window.addEventListener('pagehide', guarded(leave));
    window.addEventListener('online', guarded(send));
    document.addEventListener('visibilitychange', guarded(() => {
      if (document.visibilityState === 'hidden') leave();
    }));
    window.baliza = call;
    window.baliza.ready = true;
  }

  function optOut() {
    ['bz_v', 'bz_c', 'bz_q'].forEach((name) => store.removeItem(name));
    window.baliza = function () {};
    window.baliza.ready = true;
  }

  const refused = navigator.globalPrivacyControl === true || navigator.doNotTrack === '1' || window.doNotTrack === '1';
  if (refused) guarded(optOut)();
  // A page that the browser renders ahead of the click has not been seen yet.
  else if (document.prerendering) document.addEventListener('prerenderingchange', guarded(start), { once: true });
  else guarded(start)();
})();
