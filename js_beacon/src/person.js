import { disk, drop, write } from './store.js';
import { script } from './tag.js';

const YEAR = 3e7; // s, nearly; data protection authorities accept 13 months at most

/** The browser says no, whatever the shop says. */
const isRefused = navigator.globalPrivacyControl || navigator.doNotTrack === '1';

/** @type {any} What was answered on this page, for browsers that keep no cookies. */
let answered;

/** @param {string} name */
const cookie = (name) => document.cookie.match(`\\b${name}=([\\w-]+)`)?.[1];

/**
 * @param {string} name
 * @param {string} text empty: not any more
 */
const bake = (name, text) => {
  document.cookie = `${name}=${text};Path=/;SameSite=Lax;Max-Age=${text ? YEAR : 0}` + (location.protocol === 'https:' ? ';Secure' : '');
};

/** The answer is in a cookie, because storage may be full, and shops clear it when somebody logs out. Another tab may have asked. */
export const consent = () => (isRefused ? 'denied' : cookie('bz_g') || answered);

/** May this visitor be observed? */
export const isAllowed = () => (consent() || script.dataset.consent || 'granted') === 'granted';

/** 128 random bits. (crypto.randomUUID exists on https pages only.) */
export const newId = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

/** @param {string} id */
export const become = (id) => {
  write('bz_v', id);
  bake('bz_v', id);
  return id;
};

/** The id of this browser, which a cookie remembers where storage was cleared. */
export const visitor = () => disk.bz_v || become(cookie('bz_v') || newId());

/** Know this visitor, or forget everything. */
export const obey = () => {
  if (isAllowed()) become(visitor());
  else {
    bake('bz_v', '');
    for (const name in disk) if (/^bz(:|_.$)/.test(name)) drop(name);
  }
};

/** @param {any} answer granted; all else is a no */
export const settle = (answer) => {
  answered = answer === 'granted' ? answer : 'denied';
  if (!isRefused) bake('bz_g', answered);
  obey();
};
