import { on, quietly } from './quiet.js';
import { record } from './record.js';
import { watchSeen } from './seen.js';
import { load } from './tag.js';

const FAROS = '[data-faro]';
const DWELL = 400; // ms
const LOOK_AFTER = 200; // ms between a change of the page and looking for what is new in it

/** @type {any} */
let lookTimer;
/** @type {any} */
let dwellTimer;
/** @type {any} */
let hovered;
/** @type {IntersectionObserver} */
let seen;

/**
 * @type {(faro: any, what: 'view' | 'hover' | 'click') => void}
 */
const tell = quietly((faro, what) => {
  if (!faro || !(faro.dataset.faroOn || what).includes(what)) return;
  const [, kind, id] = faro.dataset.faro.match(/(\w+):(.+)/);
  record('faro_' + what, { content: { kind, id }, response_code: faro.dataset.faroCode });
});

const look = quietly(() => {
  lookTimer = 0;
  document.querySelectorAll(FAROS).forEach((faro) => seen.observe(faro));
  if (document.querySelector('[data-baliza-offers]')) load('offers.js');
});

/** A page view begins: what can be seen now is seen anew. */
export const lookAnew = () => {
  seen?.disconnect();
  const watch = (seen = watchSeen((faro) => { if (watch === seen) tell(faro, 'view'); }));
  look();
};

/** Follow the marked elements of the page, also those that come later. */
export const followFaros = () => {
  on('click', (event) => tell(event.target.closest(FAROS), 'click'));
  on('pointerover', (event) => {
    const faro = event.target.closest(FAROS);
    if (faro === hovered) return;
    hovered = faro;
    clearTimeout(dwellTimer);
    if (event.pointerType !== 'touch') dwellTimer = setTimeout(tell, DWELL, faro, 'hover');
  });
  new MutationObserver(() => {
    lookTimer ||= setTimeout(look, LOOK_AFTER);
  }).observe(document, { childList: true, subtree: true });
};
