import assert from 'node:assert/strict';
import { test } from 'node:test';

import { baked, open, page, storage } from './browser.js';

let number = 0;

async function load(options) {
  const disk = open(options);
  const { build } = await import(new URL('../../../js_beacon/node_modules/esbuild/lib/main.js', import.meta.url));
  const made = await build({
    stdin: { contents: "export * from './person.js';", resolveDir: new URL('../../../js_beacon/src', import.meta.url).pathname },
    bundle: true, write: false, format: 'esm', logLevel: 'error',
  });
  const person = await import(`data:text/javascript;base64,${Buffer.from(made.outputFiles[0].text + `\n//${number++}`).toString('base64')}`);
  return { disk, person };
}

test('a visitor keeps the id, in storage and in a cookie', async () => {
  const { disk, person } = await load({});
  person.obey();
  const id = person.visitor();
  assert.match(id, /^[\d-]{4,43}$/);
  assert.deepEqual([disk.bz_v, baked[0]], [id, `bz_v=${id};Path=/;SameSite=Lax;Max-Age=30000000;Secure`]);
  const { person: again } = await load({ disk });
  again.obey();
  assert.equal(again.visitor(), id);
});

test('the cookie says who it is where storage was cleared', async () => {
  const { disk, person } = await load({ cookies: 'other=1; bz_v=v-7f3a; more=2' });
  person.obey();
  assert.equal(disk.bz_v, 'v-7f3a');
});

test('a cookie goes over https only where the page does', async () => {
  const { person } = await load({ href: 'http://shop.test/' });
  person.obey();
  assert.doesNotMatch(baked[0], /Secure/);
});

test('logging out makes another visitor', async () => {
  const { disk, person } = await load({});
  person.obey();
  const before = disk.bz_v;
  person.become(person.newId());
  assert.notEqual(disk.bz_v, before);
});

for (const navigator of [{ globalPrivacyControl: true }, { doNotTrack: '1' }]) {
  test(`${Object.keys(navigator)} wins over whatever the shop says`, async () => {
    const disk = storage();
    Object.assign(disk, { bz_v: 'v', bz_c: 'c', 'bz:1': 'x', theirs: 'stays', bz_theme: 'stays' });
    const { person } = await load({ disk, navigator, cookies: 'bz_v=v; bz_g=granted' });
    person.obey();
    person.settle('granted');
    assert.deepEqual(Object.keys(disk), ['theirs', 'bz_theme']);
    assert.equal(page.cookie, 'bz_g=granted');
    assert.equal(person.isAllowed(), false);
  });
}

test('a denial forgets everything, is remembered, and can be taken back', async () => {
  const disk = storage();
  Object.assign(disk, { bz_v: 'v', bz_c: 'c', 'bz:1': 'x', theirs: 'stays' });
  const { person } = await load({ disk });
  person.obey();
  person.settle('denied');
  assert.deepEqual([Object.keys(disk), page.cookie], [['theirs'], 'bz_g=denied']);
  const { person: next } = await load({ disk, cookies: page.cookie });
  next.obey();
  assert.equal(next.isAllowed(), false);
  next.settle('granted');
  assert.deepEqual([next.isAllowed(), Boolean(disk.bz_v)], [true, true]);
});

test('a denial needs no storage: it is remembered where that is full', async () => {
  const { person } = await load({ disk: storage(0) });
  person.obey();
  person.settle('denied');
  const { person: next } = await load({ disk: storage(0), cookies: page.cookie });
  assert.equal(next.isAllowed(), false);
});

test('a denial holds for the page where no cookies are kept', async () => {
  const { person } = await load({});
  person.settle('denied');
  page.cookie = 'bz_g=;Max-Age=0';
  assert.equal(person.isAllowed(), false);
});

test('anything but granted is a no, and is remembered as one', async () => {
  const { person } = await load({});
  person.obey();
  person.settle({ analytics: true });
  assert.deepEqual([person.isAllowed(), page.cookie], [false, 'bz_g=denied']);
});

test('consent that was given is remembered by the next page', async () => {
  const { disk, person } = await load({ dataset: { consent: 'required' } });
  person.obey();
  assert.equal(person.isAllowed(), false);
  person.settle('granted');
  const { person: next } = await load({ disk, dataset: { consent: 'required' }, cookies: page.cookie });
  next.obey();
  assert.deepEqual([next.isAllowed(), next.visitor()], [true, disk.bz_v]);
});

test('while consent is pending nothing is stored; a denial stores itself alone', async () => {
  const written = [];
  const disk = new Proxy({}, { set(target, name, text) { written.push(name); target[name] = text; return true; } });
  const { person } = await load({ disk, dataset: { consent: 'required' } });
  person.obey();
  assert.equal(page.cookie, '');
  person.settle('denied');
  assert.deepEqual([written, page.cookie], [[], 'bz_g=denied']);
});
