import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventOf } from '../../../js_beacon/src/events.js';
import { examples } from './browser.js';

const plain = (value) => JSON.parse(JSON.stringify(value));
const NOT_THE_SHOPS = ['event_id', 'type', 'occurred_at', 'page', 'customer_id', 'consent'];
const WRONG = ['partly_bad.json', 'unusable.json'];

for (const [name, { request }] of examples().filter(([name]) => !WRONG.includes(name))) {
  test(`what a shop would say of ${name} becomes exactly that on the wire`, () => {
    for (const event of request.body.events) {
      const fields = Object.fromEntries(Object.entries(event).filter(([field]) => !NOT_THE_SHOPS.includes(field)));
      const { properties = {}, ...others } = fields;
      // The server takes an empty label as none, so the beacon leaves it out.
      const items = fields.items && fields.items.map((item) => Object.fromEntries(Object.entries(item).filter(([, value]) => value !== '')));
      assert.deepEqual(plain(eventOf({ ...others, ...properties })), { ...fields, ...(items && { items }) });
    }
  });
}

test('amounts stay as they were given and what is no number is left out', () => {
  const event = plain(eventOf({ value: '79.80', shipping: 4.9, tax: 'free', items: [{ item_id: 'A', price: '39.90', discount: '' }] }));
  assert.deepEqual(event, { value: '79.80', shipping: 4.9, items: [{ item_id: 'A', price: '39.90' }] });
});

test('counts become whole numbers and ids become text', () => {
  const { transaction_id, items } = plain(eventOf({ transaction_id: 1001, items: [{ item_id: 7, quantity: '2', index: 1.2 }] }));
  assert.equal(transaction_id, '1001');
  assert.deepEqual(items, [{ item_id: '7', quantity: 2, index: 1 }]);
});

test('an item without id goes by its name and one without either is left out', () => {
  assert.deepEqual(plain(eventOf({ items: [{ item_name: 'Lamp' }, {}, null, 'x'] })).items, [{ item_name: 'Lamp', item_id: 'Lamp' }]);
});

test('a currency is written in capitals', () => {
  assert.equal(eventOf({ currency: 'eur' }).currency, 'EUR');
  assert.equal('currency' in plain(eventOf({ currency: '' })), false);
});

test('other texts, numbers and booleans become at most 24 properties', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => ['p' + n, n]));
  const { properties } = eventOf({ text: 'x'.repeat(900), yes: true, nested: {}, list: [1], nothing: null, ...many });
  assert.equal(Object.keys(properties).length, 24);
  assert.deepEqual([properties.text.length, properties.yes, properties.p0], [100, true, 0]);
  assert.equal('nested' in properties || 'list' in properties || 'nothing' in properties, false);
});

test('what belongs to the tag manager or to the beacon is no property', () => {
  const others = { event: 'purchase', 'gtm.uniqueEventId': 7, consent: true, user_id: 'u', customer_id: 'c', ['n'.repeat(51)]: 1 };
  assert.deepEqual(plain(eventOf(others)), {});
});

test('as many items as fit into an event of 32 KB are kept; a list that has become an object is a list', () => {
  assert.equal(eventOf({ items: Array.from({ length: 300 }, (_, n) => ({ item_id: 'i' + n })) }).items.length, 60);
  assert.deepEqual(eventOf({ items: { 1: { item_id: 'A' }, 3: { item_id: 'B' } } }).items.map(({ item_id }) => item_id), ['A', 'B']);
});
