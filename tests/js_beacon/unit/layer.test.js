import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { examples, open, storage } from './browser.js';

const SOURCES = "export * from './layer.js'; export * from './record.js'; export { disk } from './store.js';";
const SPOKEN = /^(view|select|add|remove|begin)_|^(purchase|refund|search|login|sign_up|generate_lead)$/;
const LAMP = { items: [{ item_id: 'LAMP-1' }] };
const BULB = { items: [{ item_id: 'BULB-1' }] };

let number = 0;
let beacon;
let disk;

/** A page that begins, with what was pushed before. */
async function load(pushed, kept = storage()) {
  disk = open({ disk: kept });
  globalThis.dataLayer = pushed;
  const { build } = await import(new URL('../../../js_beacon/node_modules/esbuild/lib/main.js', import.meta.url));
  const made = await build({
    stdin: { contents: SOURCES, resolveDir: new URL('../../../js_beacon/src', import.meta.url).pathname },
    bundle: true, write: false, format: 'esm', logLevel: 'error',
  });
  const text = Buffer.from(`${made.outputFiles[0].text}\n//${number++}`).toString('base64');
  beacon = await import(`data:text/javascript;base64,${text}`);
  beacon.followLayer();
}

/** What was recorded, in the order of birth. */
const events = () =>
  Object.keys(disk).filter((name) => name.startsWith('bz:')).sort().map((name) => JSON.parse(disk[name].split('\n')[1]));
const types = () => events().map(({ type }) => type);
const ids = () => events().map(({ items = [] }) => items.map(({ item_id }) => item_id).join());

function gtag() {
  dataLayer.push(arguments); // eslint-disable-line prefer-rest-params
}

beforeEach(() => load(undefined));

const taught = examples()
  .filter(([name]) => !['partly_bad.json', 'unusable.json'].includes(name))
  .flatMap(([name, { request }]) => request.body.events.filter(({ type }) => SPOKEN.test(type)).map((event) => [name, event]));

for (const [name, event] of taught) {
  // What belongs to the beacon and not to the shop's word; an empty label is none.
  const { event_id, occurred_at, page, customer_id, type, properties, ...fields } = JSON.parse(JSON.stringify(event), (_, value) => (value === '' ? undefined : value));
  for (const form of ['gtag', 'push']) {
    test(`${type} of ${name} by ${form} is that event on the wire`, () => {
      const said = { ...fields, ...properties };
      if (form === 'gtag') gtag('event', type, said);
      else dataLayer.push({ event: type, ecommerce: said });
      const [{ event_id: _id, occurred_at: _at, page: _page, ...told }] = events();
      assert.deepEqual(told, { type, ...fields, ...(properties && { properties }) });
    });
  }
}

test('what was pushed before comes first, in its order', async () => {
  await load([{ event: 'view_item', ecommerce: LAMP }, { event: 'add_to_cart', ecommerce: LAMP }]);
  dataLayer.push({ event: 'view_cart', ecommerce: BULB });
  assert.deepEqual(types(), ['view_item', 'add_to_cart', 'view_cart']);
});

test('pushing answers as it always did and keeps what was pushed', () => {
  assert.equal(dataLayer.push({ event: 'x' }, { event: 'y' }), 2);
  assert.deepEqual(dataLayer.map(({ event }) => event), ['x', 'y']);
});

test('what was said of e-commerce stays until something else or null is said', () => {
  dataLayer.push({ ecommerce: LAMP });
  dataLayer.push({ event: 'view_item' });
  dataLayer.push({ event: 'add_to_cart', ecommerce: BULB });
  dataLayer.push({ ecommerce: null });
  dataLayer.push({ event: 'view_cart' });
  assert.deepEqual(ids(), ['LAMP-1', 'BULB-1', '']);
});

test('names that are no observation of ours are passed over', () => {
  ['page_view', 'scroll', 'gtm.js', 'addToCart', 'viewItem', 'view_item_', ' view_item', 'dl_purchase', 'purchases', 'select_content', 'add_to_wishlist', 'constructor', '']
    .forEach((event) => dataLayer.push({ event, ecommerce: LAMP }));
  assert.deepEqual(types(), []);
});

test('entries of any kind do no harm', () => {
  const odd = [null, undefined, 0, 7, '', 'purchase', true, [], [null], [[]], {}, () => 1, Symbol('s'), new Date(), { event: null }, { event: {} }, { ecommerce: 'x' }];
  assert.equal(dataLayer.push(...odd), odd.length);
  dataLayer.push({ ecommerce: null }, { event: 'view_cart' });
  assert.deepEqual(types(), ['view_cart']);
});

test('an entry that breaks when it is read keeps none of the others from being read', () => {
  const broken = { get event() { throw new Error('theirs'); } };
  dataLayer.push(broken, { event: 'view_cart' });
  assert.deepEqual(types(), ['view_cart']);
});

test('an id of a person is told once, whether it is a text or a number', () => {
  gtag('config', 'G-1', { user_id: 4711 });
  gtag('set', { user_id: '4711' });
  dataLayer.push({ user_id: 4711 }, { user_id: '' }, { user_id: null });
  assert.deepEqual(events().map(({ type, customer_id }) => [type, customer_id]), [['login', '4711']]);
  dataLayer.push({ event: 'search', search_term: 'lamp', user_id: 'c-2' });
  assert.deepEqual(events().map(({ type, customer_id }) => [type, customer_id]), [['login', '4711'], ['login', 'c-2'], ['search', 'c-2']]);
});

test('an id that is a number is a text on the wire where storage is forbidden, too', async () => {
  await load(undefined, null);
  gtag('config', 'G-1', { user_id: 4711 });
  gtag('config', 'G-1', { user_id: 4711 });
  disk = beacon.disk;
  assert.deepEqual(events().map(({ type, customer_id }) => [type, customer_id]), [['login', '4711']]);
});

test('whoever says it first is listened to, as often as it is said', () => {
  const say = { layer: () => dataLayer.push({ event: 'add_to_cart', ecommerce: LAMP }), call: () => beacon.record('add_to_cart', LAMP) };
  ['layer', 'call', 'call', 'layer', 'layer'].forEach((source) => say[source]());
  assert.equal(types().length, 3);
});

test('other items are another event', () => {
  dataLayer.push({ event: 'add_to_cart', ecommerce: LAMP });
  beacon.record('add_to_cart', BULB);
  assert.deepEqual(ids(), ['LAMP-1', 'BULB-1']);
});

test('a guess is heard only where nobody said that a product was viewed', () => {
  beacon.record('view_item', BULB, 'guess');
  assert.deepEqual(ids(), ['BULB-1']);
  beacon.beginView();
  dataLayer.push({ event: 'view_item', ecommerce: LAMP });
  beacon.record('view_item', BULB, 'guess');
  assert.deepEqual(ids(), ['BULB-1', '', 'LAMP-1']);
});

test('the same may happen again on the next page', () => {
  dataLayer.push({ event: 'view_item', ecommerce: LAMP });
  beacon.record('view_item', LAMP);
  beacon.beginView();
  beacon.record('view_item', LAMP);
  assert.deepEqual(types(), ['view_item', 'page_view', 'view_item']);
});

test('addresses and titles are cut to what the wire takes', async () => {
  location.href = `https://shop.example/?q=${'x'.repeat(3000)}`;
  document.title = 't'.repeat(400);
  beacon.beginView();
  const [{ page }] = events();
  assert.deepEqual([page.url.length, page.title.length, page.referrer], [2000, 300, 'https://shop.example/p/lamp']);
});

test('calls without a type or with odd parameters do no harm', () => {
  beacon.record();
  beacon.record('');
  [null, 7, 'x', [], { items: 'x' }, { items: 7 }, { items: [null] }].forEach((params) => beacon.record('view_cart', params));
  assert.equal(types().every((type) => type === 'view_cart'), true);
});
