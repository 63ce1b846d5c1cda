import { followFaros } from './faros.js';
import { followLayer } from './layer.js';
import { become, consent, isAllowed, newId, obey, settle, visitor } from './person.js';
import { on, quietly } from './quiet.js';
import { identify, record } from './record.js';
import { drop } from './store.js';
import { besideScript, key } from './tag.js';
import { followViews, view } from './views.js';

const early = window.baliza || /** @type {import('./types').Baliza} */ ({});

/** @type {any[]} Calls that wait for consent. */
const held = [];
let isFollowing = false;

/** @type {Record<string, (...args: any[]) => any>} What the page may ask for: baliza('event', name, params) and its like. */
const calls = {
  event: record,
  page: view,
  identify,
  logout() {
    drop('bz_c');
    if (isAllowed()) become(newId());
  },
  consent(answer) {
    settle(answer);
    follow();
  },
  async cart(items, params) {
    // The whole cart as it is now comes after what the dataLayer tells of its changes until now.
    await null;
    record('sync_cart', { ...params, items });
  },
  async offers(placement, options) {
    const asked = { key, placement, ...options };
    if (isAllowed()) asked.visitor = visitor();
    const decision = await fetch(besideScript('v1/offers?' + new URLSearchParams(asked))).then((answer) => answer.json()).catch(() => {});
    return { offers: [], ...decision };
  },
};

/** @type {import('./types').Baliza} */
const baliza = quietly((name, ...args) => {
  if (isFollowing || /^(con|off)/.test(name)) return calls[name](...args);
  // What is said after a no is not for later.
  if (consent() !== 'denied') held.push([name, ...args]);
});

/** Observe the page, from the first moment that it is allowed. */
const follow = () => {
  if (isFollowing || !isAllowed()) return;
  isFollowing = true;
  held.forEach((args) => baliza(...args));
  followFaros();
  followViews();
  followLayer();
};

const WHO = /^(con|id|log)/;

const start = () => {
  obey();
  window.baliza = baliza;
  baliza.ready = true;
  // What was called before: whether it may be known and who it is come first, so that the page view already says so.
  [['page'], ...(early.q || [])]
    .sort((one, other) => +WHO.test(other[0]) - +WHO.test(one[0]))
    .forEach((/** @type {any} */ args) => {
      const answer = baliza(...args);
      args.r?.(answer);
    });
  follow();
};

if (!early.ready) {
  // A page that the browser renders ahead of the click has not been seen yet.
  if (document.prerendering) on('prerenderingchange', start);
  else start();
}
