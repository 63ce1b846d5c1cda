import assert from 'node:assert/strict';
import { test } from 'node:test';

import { onlyOne, productsIn, viewOf } from '../../../js_beacon/src/guess.js';

globalThis.location = { href: 'https://shop.example/p/lamp' };

const LAMP = {
  '@context': 'https://schema.org/', '@type': 'Product', sku: 'LAMP-1', name: 'Lamp', brand: { '@type': 'Brand', name: 'Lumen' },
  image: ['https://shop.example/1.jpg', 'https://shop.example/2.jpg'],
  offers: { '@type': 'Offer', price: '39.90', priceCurrency: 'EUR' },
  isRelatedTo: [{ '@type': 'Product', name: 'Bulb' }],
};
const SEEN = {
  currency: 'EUR',
  items: [{ item_id: 'LAMP-1', item_name: 'Lamp', item_brand: 'Lumen', item_category: undefined, price: '39.90', image: 'https://shop.example/1.jpg', url: 'https://shop.example/p/lamp' }],
};

for (const [what, document] of Object.entries({
  alone: LAMP,
  'in a list': [{ '@type': 'BreadcrumbList' }, LAMP],
  'in a graph': { '@graph': [{ '@type': 'WebSite' }, LAMP] },
  'as the main entity': { '@type': 'ItemPage', mainEntity: LAMP },
  'with several types': { ...LAMP, '@type': ['Product', 'Vehicle'] },
  'with an address for a type': { ...LAMP, '@type': 'http://schema.org/Product' },
})) {
  test(`finds the product ${what}`, () => {
    const found = productsIn(document);
    assert.equal(found.length, 1);
    assert.deepEqual(viewOf(found[0]), SEEN);
  });
}

test('what is no product of the page is not found', () => {
  for (const document of [null, 7, 'x', {}, [], { '@type': 'ProductCollection' }, { '@type': 'ItemList', itemListElement: [LAMP] }]) {
    assert.deepEqual(productsIn(document), []);
  }
});

test('several products are a list and not a view; the same one twice is one', () => {
  assert.equal(onlyOne([LAMP, { ...LAMP, name: 'Bulb' }]), undefined);
  assert.equal(onlyOne([LAMP, { '@type': 'Product', name: 'Lamp', review: [] }]), LAMP);
  assert.equal(onlyOne([]), undefined);
});

test('a range of prices counts with the lowest, a group with its first variant, a specification with its price', () => {
  const price = (product) => [viewOf(product).items[0].price, viewOf(product).currency];
  assert.deepEqual(price({ offers: [{ '@type': 'AggregateOffer', lowPrice: 5, priceCurrency: 'USD' }] }), [5, 'USD']);
  assert.deepEqual(price({ hasVariant: [{ offers: { price: 7, priceCurrency: 'GBP' } }] }), [7, 'GBP']);
  assert.deepEqual(price({ offers: { priceSpecification: { price: 9, priceCurrency: 'EUR' } } }), [9, 'EUR']);
  assert.deepEqual(price({ offers: null }), [undefined, undefined]);
});
