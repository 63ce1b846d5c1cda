import assert from 'node:assert/strict';
import { test } from 'node:test';

import { open, storage } from './browser.js';

let number = 0;

async function load(disk) {
  open({ disk });
  return import(new URL(`../../../js_beacon/src/store.js?${number++}`, import.meta.url));
}

test('texts are kept in the browser, for other pages too', async () => {
  const kept = storage();
  const store = await load(kept);
  store.write('bz_v', 'v-1');
  assert.equal(kept.bz_v, 'v-1');
  const other = await load(kept);
  assert.equal(other.disk.bz_v, 'v-1');
});

test('where storage is forbidden the page remembers', async () => {
  const store = await load(null);
  store.write('bz_v', 'v-1');
  assert.equal(store.disk.bz_v, 'v-1');
  store.drop('bz_v');
  assert.equal('bz_v' in store.disk, false);
});

test('where storage is full the page remembers what there was and what is new', async () => {
  const kept = storage(20);
  kept.bz_v = 'v-1';
  const store = await load(kept);
  store.write('bz:1', 'x'.repeat(30));
  store.write('bz:2', 'y');
  assert.deepEqual([store.disk.bz_v, store.disk['bz:1'].length, store.disk['bz:2']], ['v-1', 30, 'y']);
  assert.deepEqual(Object.keys(kept), ['bz_v']);
});

test('what is dropped is gone from the browser as well, even after it was full', async () => {
  const kept = storage(20);
  kept['bz:1'] = 'x';
  const store = await load(kept);
  store.write('bz:2', 'y'.repeat(30));
  store.drop('bz:1');
  assert.deepEqual([Object.keys(kept), Object.keys(store.disk)], [[], ['bz:2']]);
});
