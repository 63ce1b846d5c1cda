/** The script tag, and what is beside it. */

export const script = /** @type {HTMLScriptElement} */ (document.currentScript || document.querySelector('[data-site]'));
export const key = script.dataset.site;

/** @param {string} path */
export const besideScript = (path) => /** @type {any} */ (new URL(path, script.src));

/** @type {Record<string, boolean>} */
const loaded = {};

/**
 * Load another part of the beacon, once.
 *
 * @param {string} file
 */
export const load = (file) => {
  if (loaded[file]) return;
  loaded[file] = true;
  const tag = document.createElement('script');
  tag.src = besideScript(file);
  tag.nonce = script.nonce;
  document.head.append(tag);
};
