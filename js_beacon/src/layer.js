import { quietly } from './quiet.js';
import { identify, record } from './record.js';

// The shop's dataLayer also carries other tools' events; page_view is left out because the beacon sees pages itself.
const TYPES =
  /^((view|select|add|remove|begin)_\w*(item|_list|promotion|cart|info|checkout)|purchase|refund|search|login|sign_up|generate_lead)$/;

/** @type {any} Stays until another one or null comes, as tag managers have it. */
let ecommerce;

/**
 * Reads one push: gtag('event', name, params), gtag('config' | 'set', …, {user_id}), or {event, ecommerce: {…}}.
 *
 * @param {any} push
 */
const readPush = quietly((push) => {
  const isGtag = push[0];
  const type = isGtag ? push[1] : push.event;
  const params = isGtag ? push[2] || type : push;
  if (params.ecommerce !== undefined) ecommerce = params.ecommerce;
  identify(params.user_id, type === 'login' ? params : {});
  // The two forms are two sources: plugins like to say the same in both.
  if (TYPES.test(type)) record(type, isGtag ? params : { ...params, ...ecommerce }, isGtag || 'layer');
});

/** Follow window.dataLayer: what was pushed before, and what will be. */
export const followLayer = () => {
  const layer = (window.dataLayer = window.dataLayer || []);
  const push = layer.push;
  layer.push = (...entries) => {
    entries.forEach(readPush);
    return push.apply(layer, entries);
  };
  layer.forEach(readPush);
};
