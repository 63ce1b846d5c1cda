import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

import { answers, open, sent, settle, storage, types } from './browser.js';

let number = 0;
let disk;
let queue;

const event = (type = 'search') => ({ event_id: 'e' + number++, type });
const HEAD = '{"key":"pk_demo","visitor":"v-1",';
const waiting = () => Object.keys(disk).filter((name) => name.startsWith('bz:')).sort();
const pass = async (ms) => { mock.timers.tick(ms); await settle(); await settle(); };

/** A page that begins: modules of its own around the storage that there is. */
async function load(options = {}) {
  disk = open({ disk, ...options });
  const source = new URL('../../../js_beacon/src/', import.meta.url);
  const { build } = await import(new URL('../../../js_beacon/node_modules/esbuild/lib/main.js', import.meta.url));
  const made = await build({
    stdin: { contents: "export * from './queue.js'; export * from './person.js'; export { disk } from './store.js';", resolveDir: source.pathname },
    bundle: true, write: false, format: 'esm', logLevel: 'error',
  });
  const made64 = Buffer.from(made.outputFiles[0].text + `\n//${number++}`).toString('base64');
  queue = await import(`data:text/javascript;base64,${made64}`);
}

beforeEach(async () => {
  mock.timers.reset();
  disk = storage();
  await load();
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 10, 21, 10) });
});

test('waits 200 ms and sends all that came together in one request', async () => {
  queue.add(HEAD, event('page_view'));
  queue.add(HEAD, event('view_item'));
  await pass(199);
  assert.equal(sent.length, 0);
  await pass(1);
  assert.deepEqual(types(), [['page_view', 'view_item']]);
  const { url, method, keepalive, body } = sent[0];
  assert.deepEqual([url, method, keepalive], ['https://shop.example/o', 'POST', true]);
  assert.deepEqual([body.key, body.visitor, body.sent_at], ['pk_demo', 'v-1', '2026-11-21T10:00:00.200Z']);
});

test('an event is stored before it is sent and leaves the store when the server has answered', async () => {
  queue.add(HEAD, event());
  assert.equal(waiting().length, 1);
  await pass(200);
  assert.equal(waiting().length, 0);
});

test('requests hold at most twenty thousand characters and go one after the other', async () => {
  for (let n = 0; n < 120; n++) queue.add(HEAD, { ...event(), search_term: 'x'.repeat(300) });
  await pass(200);
  for (let n = 0; n < 20; n++) await settle();
  assert.ok(sent.length > 1 && sent.every(({ body }) => JSON.stringify(body.events).length <= 20_100));
  assert.equal(new Set(sent.flatMap(({ body }) => body.events.map(({ event_id }) => event_id))).size, 120);
});

test('a retry takes the place of what was planned, so that Retry-After holds when the page was hidden before', async () => {
  answers.push({ status: 503, headers: new Map([['Retry-After', '30']]) });
  queue.add(HEAD, event());
  await pass(100);
  queue.leave();
  await pass(1);
  await pass(29_000);
  assert.equal(sent.length, 1);
  await pass(2_000);
  assert.equal(sent.length, 2);
});

test('a success forgets the failures before it', async () => {
  answers.push('lost', 'lost', 'lost', { status: 202 }, 'lost');
  queue.add(HEAD, event());
  await pass(200);
  for (let n = 0; n < 4; n++) await pass(4_000);
  assert.equal(waiting().length, 0);
  queue.add(HEAD, event());
  await pass(200);
  const before = sent.length;
  await pass(1_000);
  assert.equal(sent.length, before + 1, 'the first retry after a success comes within a second');
});

test('a request without an answer is given up after half a minute', () => {
  queue.add(HEAD, event());
  queue.leave();
  assert.ok(sent[0].signal instanceof AbortSignal);
});

test('requests stay below what keepalive allows in any alphabet', async () => {
  for (let n = 0; n < 60; n++) queue.add(HEAD, { ...event(), search_term: '灯'.repeat(900) });
  await pass(200);
  for (let n = 0; n < 20; n++) await settle();
  assert.equal(sent.flatMap(({ body }) => body.events).length, 60);
  assert.ok(sent.every(({ body }) => Buffer.byteLength(JSON.stringify(body)) < 62_000));
});

test('an event that is too large for keepalive goes alone and without it', async () => {
  queue.add(HEAD, event());
  queue.add(HEAD, { ...event(), search_term: 'x'.repeat(70_000) });
  await pass(200);
  for (let n = 0; n < 5; n++) await settle();
  assert.deepEqual(sent.map(({ keepalive, body }) => [keepalive, body.events.length]), [[true, 1], [false, 1]]);
});

test('events of two visitors never share a request', async () => {
  queue.add(HEAD, event());
  queue.add('{"key":"pk_demo","visitor":"v-2",', event());
  await pass(200);
  for (let n = 0; n < 5; n++) await settle();
  assert.deepEqual(sent.map(({ body }) => body.visitor), ['v-1', 'v-2']);
});

for (const status of [200, 202, 400, 401, 403, 413]) {
  test(`${status} ends it`, async () => {
    answers.push({ status });
    queue.add(HEAD, event());
    await pass(200);
    await pass(100_000);
    assert.deepEqual([sent.length, waiting().length], [1, 0]);
  });
}

for (const answer of ['lost', { status: 404 }, { status: 429 }, { status: 500 }, { status: 503 }]) {
  test(`${answer.status || 'no answer'} is tried again with the same event`, async () => {
    answers.push(answer);
    queue.add(HEAD, event());
    await pass(200);
    assert.equal(waiting().length, 1);
    await pass(1000);
    assert.equal(sent.length, 2);
    assert.equal(sent[0].body.events[0].event_id, sent[1].body.events[0].event_id);
    assert.equal(waiting().length, 0);
  });
}

test('waits twice as long after each failure, with jitter, and a minute at most', async () => {
  answers.push(...Array(12).fill('lost'));
  queue.add(HEAD, event());
  await pass(200);
  const gaps = [];
  for (let n = 0; n < 11; n++) {
    const before = sent.length;
    let gap = 0;
    while (sent.length === before) { await pass(250); gap += 250; }
    gaps.push(gap);
  }
  gaps.forEach((gap, n) => {
    const most = Math.min(60_000, 1000 * 2 ** n);
    assert.ok(gap >= most / 2 && gap <= most + 250, `gap ${n} was ${gap} of ${most}`);
  });
});

test('is silent for as long as Retry-After says, whatever comes meanwhile', async () => {
  answers.push({ status: 503, headers: new Map([['Retry-After', '30']]) });
  queue.add(HEAD, event());
  await pass(200);
  queue.add(HEAD, event());
  queue.leave();
  await pass(29_000);
  assert.equal(sent.length, 1);
  await pass(2_000);
  assert.equal(sent.length, 2);
  assert.equal(sent[1].body.events.length, 2);
});

test('what is new leaves at once with the page', async () => {
  queue.add(HEAD, event());
  queue.leave();
  assert.equal(sent.length, 1);
  queue.leave();
  assert.equal(sent.length, 1, 'what is under way is not sent again');
});

test('a later page sends what an earlier one left', async () => {
  answers.push('lost');
  queue.add(HEAD, event('page_view'));
  await pass(200);
  mock.timers.reset();
  await load();
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 10, 21, 11) });
  queue.add(HEAD, event('search'));
  await pass(200);
  assert.deepEqual(types(), [['page_view', 'search']]);
});

test('keeps a thousand, loses the oldest first, and says how many when it can', async () => {
  answers.push('lost');
  for (let n = 0; n < 1003; n++) queue.add(HEAD, { ...event(), search_term: 'n' + n });
  assert.equal(waiting().length, 1000);
  assert.match(disk[waiting()[0]], /"n3"/);
  await pass(200);
  await pass(1000);
  for (let n = 0; n < 90; n++) await settle();
  assert.equal(waiting().length, 0);
  queue.add(HEAD, event());
  assert.match(disk[waiting()[0]], /"lost_events":3/);
  queue.add(HEAD, event());
  assert.doesNotMatch(disk[waiting()[1]], /lost_events/);
});

test('full storage: the events stay in memory, arrive, and free what is stored', async () => {
  disk = storage(400);
  mock.timers.reset();
  await load();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  for (let n = 0; n < 6; n++) queue.add(HEAD, event('t' + n));
  await pass(200);
  assert.deepEqual(types(), [['t0', 't1', 't2', 't3', 't4', 't5']]);
  assert.equal(waiting().length, 0);
});

test('forbidden storage: the events arrive from memory', async () => {
  disk = null;
  mock.timers.reset();
  await load();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  queue.add(HEAD, event());
  await pass(200);
  assert.equal(sent.length, 1);
});

test('one tab at a time holds the lock', async () => {
  const asked = [];
  mock.timers.reset();
  await load({ navigator: { locks: { request: (name, task) => { asked.push([name, task]); return Promise.resolve(); } } } });
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  queue.add(HEAD, event());
  await pass(200);
  assert.deepEqual([asked.length, asked[0][0], sent.length], [1, 'bz', 0]);
  const sending = asked[0][1]();
  await pass(49);
  assert.equal(sent.length, 0, 'what the tab before has removed is seen as removed a little later');
  await pass(1);
  await sending;
  assert.equal(sent.length, 1);
});

test('where the lock cannot be had the events go all the same', async () => {
  mock.timers.reset();
  await load({ navigator: { locks: { request: () => Promise.reject(new Error('SecurityError')) } } });
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  queue.add(HEAD, event());
  await pass(200);
  assert.equal(sent.length, 1);
});

test('what comes while a request is under way does not make another one beside it', async () => {
  let answer;
  answers.push(new Promise((resolve) => { answer = resolve; }));
  queue.add(HEAD, event('page_view'));
  await pass(200);
  queue.add(HEAD, event('search'));
  await pass(60_000);
  assert.deepEqual(types(), [['page_view']]);
  answer({ status: 202 });
  for (let n = 0; n < 5; n++) await settle();
  assert.deepEqual(types(), [['page_view'], ['search']]);
});
