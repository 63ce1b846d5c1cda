/* What happens on the shop's pages when somebody clicks. Everything works without it as well, by going to another page. */
(function () {
  'use strict';

  const { data, push, choose, hasChosen } = window.casaFaro;
  const all = (selector) => [...document.querySelectorAll(selector)];

  // ---- the question about cookies: only in the shop that asks (?consent=ask)

  function ask() {
    const banner = document.getElementById('consent');
    banner.hidden = false;
    banner.addEventListener('click', (click) => {
      if (!click.target.dataset.consentChoice) return;
      choose(click.target.dataset.consentChoice);
      banner.hidden = true;
    });
  }

  if (data.consent.asked && !hasChosen()) ask();

  // On a phone the shelves are wider than the screen.
  all('.shelves [aria-current]').forEach((shelf) => shelf.scrollIntoView({ block: 'nearest', inline: 'center' }));

  // ---- what is clicked

  const listOf = (listId, items) => ({ item_list_id: listId, currency: data.currency, items });

  document.addEventListener('click', (click) => {
    const link = click.target.closest('a[data-select], a[data-promotion]');
    if (!link) return;
    const item = data.listed[link.dataset.select];
    if (item) push({ event: 'select_item', ecommerce: listOf(link.dataset.list, [item]) });
    if (data.promotion && 'promotion' in link.dataset) push({ event: 'select_promotion', ecommerce: data.promotion });
  });

  // ---- the brands of a category: another page for the visitor, the same document for the browser

  const chosenBrand = () => new URL(location.href).searchParams.get('brand') || '';
  let brand = chosenBrand();

  function showBrand() {
    if (chosenBrand() === brand) return;
    brand = chosenBrand();
    const shown = all('.card[data-brand]').filter((card) => {
      card.hidden = Boolean(brand) && card.dataset.brand !== brand;
      return !card.hidden;
    });
    all('a[data-filter]').forEach((chip) => {
      if (chip.dataset.filter === brand) chip.setAttribute('aria-current', 'true');
      else chip.removeAttribute('aria-current');
    });
    document.getElementById('shown').textContent = `${shown.length} of ${all('.card[data-brand]').length} shown`;
    const items = shown.map((card, index) => Object.assign({}, data.listed[card.dataset.select], { index }));
    push(['event', 'view_item_list', listOf(shown[0].dataset.list, items)]);
  }

  document.addEventListener('click', (click) => {
    const chip = click.target.closest('a[data-filter]');
    if (!chip || click.ctrlKey || click.metaKey || click.shiftKey) return;
    click.preventDefault();
    if (chip.href !== location.href) history.pushState(null, '', chip.href);
    showBrand();
  });

  if (document.querySelector('a[data-filter]')) addEventListener('popstate', showBrand);

  // ---- the till: what was chosen is told, and the price of shipping is added

  function showShipping({ price, amount }) {
    all('[data-shipping]').forEach((place) => { place.textContent = price; });
    all('[data-to-pay]').forEach((place) => { place.textContent = amount; });
  }

  document.addEventListener('change', (change) => {
    const { told, as, amount } = change.target.dataset;
    if (!told) return;
    const ordered = JSON.parse(document.getElementById('ordered').textContent);
    push(['event', told, Object.assign(ordered, { [as]: change.target.value })]);
    if (amount) showShipping(change.target.dataset);
  });

  // ---- one question after the order, told by a call instead of the dataLayer

  document.addEventListener('click', (click) => {
    const answer = click.target.dataset.answer;
    if (!answer) return;
    window.baliza('event', 'survey_answer', { question: 'ease', answer });
    document.getElementById('survey').textContent = 'Thank you, that helps.';
  });
})();
