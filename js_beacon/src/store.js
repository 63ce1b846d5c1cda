/**
 * Where texts are kept by name: the browser's storage, which is used like any object; this page's memory where that is forbidden
 * or full.
 *
 * @type {Record<string, any>}
 */
export let disk = {};

/** @type {Record<string, any>} What earlier pages kept, and what later ones will see. */
let storage = disk;
try {
  disk = storage = localStorage;
} catch {
  // Memory has to do.
}

/**
 * @param {string} name
 * @param {any} text
 */
export const write = (name, text) => {
  try {
    disk[name] = text;
  } catch {
    disk = { ...disk, [name]: text };
  }
};

/** @param {string} name */
export const drop = (name) => delete disk[name] && delete storage[name];
