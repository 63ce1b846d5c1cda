import { lookAnew } from './faros.js';
import { isAllowed } from './person.js';
import { leave } from './queue.js';
import { on, quietly } from './quiet.js';
import { beginView, record, told, url } from './record.js';
import { load } from './tag.js';

const GUESS_AFTER = 500; // ms after load: the shop's own word comes first
const IDLE = 30000; // ms after which nobody is taken to be there
const WORTH_TELLING = 1000; // ms
const LOOK_EVERY = 200; // ms

let spent = 0;
let deepest = 0;
let since = 0;

// A plain #anchor is the same page; #/route and #!route are how older single-page shops name theirs.
/** @param {string} address */
const pageOf = (address) => address.replace(/#(?![/!]).*/, '');

/**
 * Where the shop said nothing, its structured data may; what reads that is a part of its own, which most pages never load.
 *
 * @type {(then: any) => void}
 */
const guess = quietly((then) => {
  if (then !== told || told.item || !document.querySelector('[type*=ld],[itemtype]')) return;
  load('guess.js');
  baliza.guess?.();
});

const guessLater = () => {
  if (document.readyState === 'complete') setTimeout(guess, GUESS_AFTER, told);
};

/** Somebody did something, or the page was hidden or shown: the time since the last such thing counts. */
const tick = () => {
  const now = Date.now();
  if (since) spent += Math.min(now - since, IDLE);
  since = document.hidden || !isAllowed() ? 0 : now;
  deepest = Math.max(deepest, scrollY + innerHeight);
};

const tellEngagement = () => {
  tick();
  if (spent < WORTH_TELLING) return;
  record('user_engagement', {
    engagement_time_msec: spent,
    percent_scrolled: Math.min(100, (100 * deepest) / document.documentElement.scrollHeight | 0),
  }, 'page');
  spent = 0;
};

/** A page view begins. */
export const view = () => {
  beginView();
  spent = deepest = 0;
  lookAnew();
  guessLater();
};

/**
 * Has the address changed? Asked now and then and before anything is recorded, and not told by the page's history, whose functions
 * are the page's own. An address that was there for a moment only was no page.
 */
export const lookWhere = () => {
  if (pageOf(location.href) === pageOf(url)) return;
  tellEngagement();
  view();
};

/** Follow the pages that the visitor sees: changes of address, and returns out of the browser's page cache. */
export const followViews = () => {
  setInterval(lookWhere, LOOK_EVERY);
  on('pageshow', (show) => { if (show.persisted) view(); });
  on('pointerover keydown scroll', tick);
  on('pagehide visibilitychange', () => {
    tellEngagement();
    leave();
  });
  on('load', guessLater);
  tick();
};
