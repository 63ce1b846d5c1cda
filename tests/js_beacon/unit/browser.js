// As much of a browser as the beacon's modules without a document need; each test file is a process of its own.
import { readdirSync, readFileSync } from 'node:fs';

const listeners = {};

export const sent = [];
export let answers = [];
/** Every cookie as it was set, with its attributes. */
export const baked = [];
const jar = new Map();

export const page = {
  title: 'Lamp',
  referrer: 'https://search.example/',
  hidden: false,
  get cookie() { return [...jar].map(([name, text]) => `${name}=${text}`).join('; '); },
  set cookie(text) {
    baked.push(text);
    const [name, value] = text.split(';')[0].split('=');
    if (text.includes('Max-Age=0')) jar.delete(name);
    else jar.set(name, value);
  },
};

/** Storage that can be used like an object, as the browser's can; `room` is how many characters it holds. */
export function storage(room = Infinity) {
  return new Proxy({}, {
    set(target, name, text) {
      const others = Object.keys(target).filter((each) => each !== name).map((each) => target[each]).join('');
      if ((others + text).length > room) throw new Error('QuotaExceededError');
      target[name] = String(text);
      return true;
    },
  });
}

const set = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

/** Put a browser around the modules; `dataset` are the script tag's data attributes. */
export function open({ disk = storage(), dataset = {}, navigator = {}, href = 'https://shop.example/p/lamp', cookies = '' } = {}) {
  jar.clear();
  cookies.split('; ').filter(Boolean).forEach((each) => jar.set(...each.split('=')));
  baked.length = 0;
  sent.length = 0;
  answers = [];
  const script = { dataset: { site: 'pk_demo', ...dataset }, src: 'https://shop.example/b.js', nonce: '' };
  set('document', Object.assign(page, { currentScript: script, addEventListener() {} }));
  set('location', new URL(href));
  set('navigator', navigator);
  set('window', globalThis);
  set('addEventListener', (type, listener) => { listeners[type] = listener; });
  if (disk) set('localStorage', disk);
  else Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('forbidden'); }, configurable: true });
  set('fetch', async (url, options) => {
    sent.push({ url: String(url), ...options, body: JSON.parse(options.body) });
    const answer = (await answers.shift()) || { status: 202 };
    if (answer === 'lost') throw new TypeError('Failed to fetch');
    return { text: async () => '', headers: new Map(), ...answer };
  });
  return disk;
}

/** Let every promise that can go on do so. */
export const settle = () => new Promise((resolve) => { setImmediate(resolve); });

export const types = () => sent.map(({ body }) => body.events.map((event) => event.type));

/** The wire's golden bodies that a browser could have sent, by name of the file. */
export function examples() {
  const folder = new URL('../../../schema/examples/', import.meta.url);
  return readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8'))]);
}
