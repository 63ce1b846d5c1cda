/* What the shop tells its dataLayer and the beacon before anything else. Not deferred: who it is, and whether we may know, must be
   said before the first observation. Page data comes as JSON: no inline scripts. */
(function () {
  'use strict';

  const CHOICE = 'shop_consent'; // in localStorage: what the visitor answered to the cookie question

  const data = JSON.parse(document.getElementById('page-data').textContent);
  window.dataLayer = window.dataLayer || [];
  window.baliza = window.baliza || function () { (window.baliza.q = window.baliza.q || []).push(arguments); };

  function gtag() { window.dataLayer.push(arguments); }

  // The tag manager merges what is pushed, so the last ecommerce object has to go before the next one comes.
  function push(entry) {
    if (Array.isArray(entry)) return gtag.apply(null, entry);
    if (entry.ecommerce) window.dataLayer.push({ ecommerce: null });
    return window.dataLayer.push(entry);
  }

  function remembered() {
    try {
      return localStorage.getItem(CHOICE);
    } catch (error) {
      return null; // storage forbidden: the question comes on each page
    }
  }

  function choose(choice) {
    try {
      localStorage.setItem(CHOICE, choice);
    } catch (error) {
      // Not remembered, then.
    }
    window.baliza('consent', choice);
  }

  // Who is asked anew has taken back what was said before.
  function askedAnew() {
    if (remembered() === 'granted') window.baliza('consent', 'denied');
    localStorage.removeItem(CHOICE);
  }

  if (data.consent.asked) {
    if (data.consent.anew && remembered()) askedAnew();
    if (remembered()) window.baliza('consent', remembered());
  }
  if (data.loggedOut) window.baliza('logout');
  // A log-in push names the customer itself.
  if (data.customer && !data.pushes.some((entry) => entry[1] === 'login')) window.baliza('identify', data.customer);
  if (data.cart) window.baliza('cart', data.cart, { currency: data.currency });
  data.pushes.forEach(push);

  window.casaFaro = { data, push, choose, hasChosen: () => Boolean(remembered()) };
})();
