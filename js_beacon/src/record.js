import { eventOf } from './events.js';
import { consent, isAllowed, newId, visitor } from './person.js';
import { add } from './queue.js';
import { quietly } from './quiet.js';
import { disk, write } from './store.js';
import { key } from './tag.js';
import { lookWhere } from './views.js';

// What templates without a customer write where the id belongs, and what the server would refuse each event for.
const NOBODY = /^(undefined|null|\[.*|.{101,})$/;

/** Address of the page view that is going on. */
export let url = location.href;
let referrer = document.referrer;
/** @type {Record<string, any>} Which source told of what in it; item: a product was viewed. */
export let told = {};

/**
 * Observe: put an event into the queue unless it is known already.
 *
 * @type {(type: string, params?: any, source?: import('./types').Source) => void}
 */
export const record = quietly((type, params, source = 'call') => {
  if (source !== 'page') lookWhere();
  // What the shop says of its products is worth more than what its pages look like.
  if (!type || !isAllowed() || (told.item && source === 'guess')) return;
  params = Object(params);
  identify(params.customer_id);
  const event = eventOf(params);
  // Several sources may tell of the same things: whoever said it first in this view is listened to, as often as it says so.
  if ((told[type + event.search_term + event.items?.map((item) => item.item_id)] ||= source) !== source) return;
  told.item ||= type === 'view_item' && event.items?.[0];
  // An order without currency is refused by the server, where the shop is told; what else has none is worth recording without value.
  if (!event.currency && type !== 'purchase') delete event.value;
  add(`{"key":"${key}","visitor":"${visitor()}",`, {
    event_id: newId(),
    type,
    occurred_at: new Date().toISOString(),
    page: { url: url.slice(0, 2000), referrer: referrer.slice(0, 2000), title: document.title.slice(0, 300) },
    customer_id: disk.bz_c,
    consent: consent(),
    ...event,
  });
});

/** Another page view begins. */
export const beginView = () => {
  if (url !== location.href) referrer = url;
  url = location.href;
  told = {};
  record('page_view', {}, 'page');
};

/**
 * @param {any} id the shop's own id of a person
 * @param {any} [traits]
 */
export const identify = (id, traits) => {
  if (!id || NOBODY.test(id) || String(id) === disk.bz_c || !isAllowed()) return;
  write('bz_c', String(id));
  record('login', traits);
};
