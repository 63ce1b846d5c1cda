import { watchSeen } from './seen.js';

/**
 * @typedef {import('./types').Decision} Decision
 * @typedef {import('./types').Offer} Offer
 */

/* The offers widget: fills <div data-baliza-offers="placement"> with what the visitor is offered there. */

const IN_TIME = 300; // ms; later than that the shop's own content stays
const TOGETHER = 100; // ms: offers seen within it are told in one event
const PLACES = '[data-baliza-offers]';

/** @type {WeakMap<Element, string>} What each place was last filled for: single-page shops use an element again for another product. */
const asked = new WeakMap();
/** @type {WeakMap<Element, Node[]>} The shop's own content of a place that shows offers. */
const own = new WeakMap();
/** @type {WeakMap<Element, [Decision, Offer]>} What a card shows. */
const shown = new WeakMap();
/** @type {Element[]} */
let seenNow = [];

/**
 * @param {string} type
 * @param {Element[]} cards of one decision and response code
 */
function tell(type, cards) {
  const told = cards.map((card) => /** @type {[Decision, Offer]} */ (shown.get(card)));
  const [{ decision_id, placement }, { response_code, currency }] = told[0];
  const items = told.map(([, { item_id, title, price }]) => ({ item_id, item_name: title, price }));
  window.baliza('event', type, { decision_id, placement, response_code, currency, items });
}

/** A strip can hold offers of several response codes; each is told under its own. */
function tellSeen() {
  /** @type {Record<string, Element[]>} */
  const groups = {};
  seenNow.forEach((card) => {
    const [{ decision_id }, { response_code }] = /** @type {[Decision, Offer]} */ (shown.get(card));
    const group = decision_id + ' ' + response_code;
    (groups[group] = groups[group] || []).push(card);
  });
  seenNow = [];
  Object.keys(groups).forEach((group) => tell('offer_shown', groups[group]));
}

const seen = watchSeen((card) => {
  if (!seenNow[0]) setTimeout(tellSeen, TOGETHER);
  seenNow.push(card);
});

/**
 * Addresses of offers came from outside: only web addresses may become links.
 *
 * @param {string | null} address
 */
const webAddress = (address) => {
  try {
    const { protocol, href } = new URL(address || '', location.href);
    return address && /^https?:$/.test(protocol) ? href : '';
  } catch (notOne) {
    return '';
  }
};

/** @param {Offer} offer */
const money = ({ price, currency }) => {
  if (price === null || price === undefined) return '';
  try {
    const language = document.documentElement.lang || undefined;
    return new Intl.NumberFormat(language, { style: 'currency', currency: currency || '' }).format(Number(price));
  } catch (noCurrency) {
    return String(price);
  }
};

/**
 * Markup for shops that bring no template.
 *
 * @returns {Element}
 */
function plainCard() {
  const card = document.createElement('a');
  card.className = 'baliza-offer';
  card.dataset.b = 'url';
  [['img', 'image'], ['span', 'title'], ['span', 'price'], ['span', 'reason']].forEach(([tag, name]) => {
    const part = document.createElement(tag);
    part.className = 'baliza-' + name;
    part.dataset.b = name;
    card.append(part);
  });
  return card;
}

/**
 * @param {Element} card
 * @param {Offer} offer
 */
function fillCard(card, offer) {
  /** @type {Record<string, string>} */
  const texts = { title: offer.title, price: money(offer), reason: offer.reason_text };
  [card, ...card.querySelectorAll('[data-b]')].forEach((part) => {
    const name = part.getAttribute('data-b');
    if (name === 'url') part.setAttribute('href', webAddress(offer.url) || '#');
    else if (name === 'image') {
      const address = webAddress(offer.image);
      if (!address) part.remove();
      part.setAttribute('src', address);
      part.setAttribute('alt', '');
    } else if (name) part.textContent = texts[name] || '';
  });
}

/**
 * @param {Element} place
 * @param {Decision} decision
 */
function show(place, decision) {
  const template = place.querySelector('template');
  const cards = decision.offers.map((offer) => {
    const copy = template && /** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild;
    const card = copy || plainCard();
    fillCard(card, offer);
    shown.set(card, [decision, offer]);
    card.addEventListener('click', () => tell('offer_clicked', [card]));
    return card;
  });
  if (!own.has(place)) own.set(place, [...place.childNodes]);
  place.replaceChildren(...cards, ...(template ? [template] : []));
  cards.forEach((card) => seen.observe(card));
}

/**
 * @param {any} place
 * @param {string} what placement and item
 */
async function fill(place, what) {
  asked.set(place, what);
  const { balizaOffers: placement, balizaLimit: limit, balizaItem: item_id } = place.dataset;
  const late = new Promise((resolve) => { setTimeout(resolve, IN_TIME); });
  const decision = await Promise.race([late, window.baliza('offers', placement, { ...(limit && { limit }), ...(item_id && { item_id }) })]);
  if (asked.get(place) !== what) return;
  const offers = (decision && decision.offers.slice(0, limit > 0 ? limit : undefined)) || [];
  if (offers.length) show(place, { placement, ...decision, offers });
  else if (own.has(place)) place.replaceChildren(...(own.get(place) || []));
}

const look = () =>
  document.querySelectorAll(PLACES).forEach((/** @type {any} */ place) => {
    const what = [place.dataset.balizaOffers, place.dataset.balizaItem].join(' ');
    if (asked.get(place) !== what) fill(place, what).catch(() => {});
  });

new MutationObserver(look).observe(document, {
  childList: true,
  subtree: true,
  attributeFilter: ['data-baliza-offers', 'data-baliza-item'],
});
look();
