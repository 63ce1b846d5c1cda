import { disk, drop, write } from './store.js';
import { besideScript } from './tag.js';

const MAX_WAITING = 1000; // events; the oldest go first
// Characters a request. Browsers let 64 KiB of keepalive requests be under way, and a character is at most three bytes.
const MAX_BODY = 20000;
const SEND_AFTER = 200; // ms
const SETTLE = 50; // ms
const ANSWER_WITHIN = 30000; // ms; a request without an answer would hold the lock for as long as its tab lives
const RETRY_FIRST = 500; // ms, doubled by each failure
const RETRY_MOST = 60000; // ms
const SETTLED = /^2|40[013]|413/; // taken, or given up; all else is tried again

/** @type {string[]} Entries that this page wrote: it may send them when it goes without asking the other tabs. */
const own = [];
/** @type {Set<string>} */
const inFlight = new Set();
let lastBirth = 0;
let failures = 0;
/** @type {any} Set from the moment that something waits until all of it has left. */
let timer;

/** What waits, in the order of birth. */
const waiting = () => Object.keys(disk).filter((name) => /^bz:/.test(name)).sort();

/**
 * Send one batch of these entries. Answers whether there may be more to send.
 *
 * @param {Iterable<string>} names
 */
const deliver = async (names) => {
  /** @type {string[]} */
  const batch = [];
  /** @type {string[]} */
  const events = [];
  let head = '';
  let answer;
  for (const name of names) {
    const [its, event] = disk[name]?.split('\n') || [];
    if (!event || inFlight.has(name)) continue;
    if (head && (its !== head || (events + event).length > MAX_BODY)) break;
    head = its;
    events.push(event);
    batch.push(name);
    inFlight.add(name);
  }
  if (!head) {
    timer = 0;
    return;
  }
  try {
    answer = await fetch(besideScript('o'), {
      method: 'POST',
      keepalive: (events + '').length <= MAX_BODY,
      signal: AbortSignal.timeout?.(ANSWER_WITHIN),
      body: `${head}"sent_at":"${new Date().toISOString()}","events":[${events}]}`,
    });
    await answer.text(); // a body that nobody reads shows up as a cancelled request in the shop's developer tools
  } catch {
    // The entries stay.
  }
  batch.forEach((name) => inFlight.delete(name));
  if (SETTLED.test(/** @type {any} */ (answer?.status))) {
    batch.forEach(drop);
    failures = 0;
    return true;
  }
  // Exponential, jittered, and as late as Retry-After (in s) says at least.
  clearTimeout(timer);
  timer = setTimeout(flush, Math.max(
    Math.min(RETRY_MOST, RETRY_FIRST * 2 ** ++failures) * (1 - Math.random() / 2),
    /** @type {any} */ (answer?.headers.get('Retry-After')) * 1000 || 0
  ));
};

const drain = async () => {
  while (await deliver(waiting()));
};

/** Send all, one tab at a time. Where there are no locks (http pages) two tabs may send the same, which counts once. */
const flush = () => {
  // The lock comes sooner from another tab than the news of what that tab has removed.
  const settled = () => new Promise((done) => setTimeout(done, SETTLE)).then(drain);
  if (navigator.locks) navigator.locks.request('bz', settled).catch(drain);
  else drain();
};

const schedule = () => {
  timer ||= setTimeout(flush, SEND_AFTER);
};

/**
 * Each event is an entry of its own, so that no tab ever rewrites what another one wrote.
 *
 * @param {string} visitorAndKey the beginning of the body that the event goes into
 * @param {import('./types').WireEvent} event
 */
export const add = (visitorAndKey, event) => {
  // To read all names takes a millisecond when a thousand wait: it is done only when there may be that many.
  const names = disk.length < MAX_WAITING ? [] : waiting();
  if (names[MAX_WAITING - 1]) {
    drop(names[0]);
    write('bz_l', -~disk.bz_l);
  } else if (disk.bz_l) {
    (event.properties ||= {}).lost_events = +disk.bz_l;
    delete disk.bz_l;
  }
  // Events of one millisecond keep their order.
  lastBirth = Math.max(Date.now(), lastBirth + 1);
  const name = `bz:${lastBirth.toString(36)}-${event.event_id}`;
  own.push(name);
  write(name, visitorAndKey + '\n' + JSON.stringify(event));
  schedule();
};

/** The page may never come back: what is new goes at once; what waits for a retry goes with a later page. */
export const leave = () => {
  if (!failures) deliver(own);
};
