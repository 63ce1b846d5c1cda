/* The shop's own script: tells the dataLayer what the page is about, and shows offers. Page data comes as JSON: no inline scripts. */
(function () {
  'use strict';

  const OFFERS_AFTER = 400; // ms: time for the beacon to report this page first, so that the offers know of it

  const data = JSON.parse(document.getElementById('page-data').textContent);
  window.dataLayer = window.dataLayer || [];
  window.baliza = window.baliza || function () { (window.baliza.q = window.baliza.q || []).push(arguments); };

  function gtag() { window.dataLayer.push(arguments); }

  function push(entry) {
    if (Array.isArray(entry)) gtag.apply(null, entry);
    else window.dataLayer.push(entry);
  }

  // A log-in push names the customer itself.
  const logsIn = data.pushes.some((entry) => entry[1] === 'login');
  if (data.loggedOut) window.baliza('logout');
  if (data.customer && !logsIn) window.baliza('identify', data.customer);
  data.pushes.forEach(push);

  document.addEventListener('click', (click) => {
    const link = click.target.closest('a[data-select]');
    const item = link && data.listed[link.dataset.select];
    if (item) push({ event: 'select_item', ecommerce: { item_list_id: link.dataset.list, currency: data.currency, items: [item] } });
  });

  // ---- offers

  function visitor() {
    try {
      return localStorage.getItem('bz_v') || '';
    } catch (error) {
      return '';
    }
  }

  function askForOffers() {
    const url = new URL(data.offers.url, location.href);
    const asked = { key: data.siteKey, placement: data.offers.placement, limit: data.offers.limit };
    if (visitor()) asked.visitor = visitor();
    if (data.offers.itemId) asked.item_id = data.offers.itemId;
    Object.keys(asked).forEach((name) => url.searchParams.set(name, asked[name]));
    return fetch(url, { credentials: 'include' }).then((answer) => (answer.ok ? answer.json() : { offers: [] }));
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  }

  // Offers carry addresses that came from outside: only web addresses may become links.
  function webAddress(text) {
    try {
      const url = new URL(text, location.href);
      return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
    } catch (error) {
      return null;
    }
  }

  function price(offer) {
    const amount = Number(offer.price);
    if (offer.price === null || offer.price === undefined || !isFinite(amount)) return '';
    return new Intl.NumberFormat('en-IE', { style: 'currency', currency: offer.currency || 'EUR' }).format(amount);
  }

  function respond(name, answer, offers) {
    window.baliza('event', name, {
      decision_id: answer.decision_id,
      placement: data.offers.placement,
      response_code: offers[0].response_code,
      currency: offers[0].currency,
      items: offers.map((offer) => ({ item_id: offer.item_id, item_name: offer.title, price: offer.price })),
    });
  }

  // A response code is of a cell; a strip can hold offers of several, and each is shown under its own.
  function byResponseCode(offers) {
    const groups = new Map();
    offers.forEach((offer) => groups.set(offer.response_code, [...(groups.get(offer.response_code) || []), offer]));
    return [...groups.values()];
  }

  function card(offer, answer) {
    const link = element('a', 'card');
    link.href = webAddress(offer.url) || '#';
    const frame = element('span', 'card-picture');
    if (offer.image && webAddress(offer.image)) {
      const image = element('img');
      image.src = webAddress(offer.image);
      image.alt = '';
      frame.append(image);
    }
    link.append(frame, element('span', 'card-name', offer.title), element('span', 'card-price', price(offer)));
    if (offer.reason_text) link.append(element('span', 'card-reason', offer.reason_text));
    link.addEventListener('click', () => respond('offer_clicked', answer, [offer]));
    return link;
  }

  function show(answer) {
    const offers = (answer.offers || []).slice(0, data.offers.limit);
    const strip = document.getElementById('offers');
    if (!offers.length || !strip) return;
    strip.querySelector('.grid').append(...offers.map((offer) => card(offer, answer)));
    strip.hidden = false;
    byResponseCode(offers).forEach((group) => respond('offer_shown', answer, group));
  }

  if (data.offers.placement) {
    setTimeout(() => askForOffers().then(show).catch(() => undefined), OFFERS_AFTER); // a shop works without offers
  }
})();
