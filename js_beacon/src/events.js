const FIELDS = /^(value|transaction_id|coupon|shipping|tax|response_code|decision_id|placement|search_term)$/;
const NUMBERS = /^(value|shipping|tax|price|discount|quantity|index)$/;
const NOT_PROPERTIES = /^(event$|consent|gtm|(user|customer)_id|.{51})/; // names have 50 characters at most
const MAX_PROPERTIES = 24; // of the server's 25: one is for the count of lost events
const NUMBER = /^ *\d*\.?\d+ *$/;
const MAX_TEXT = 100; // characters, as GA4 has it; ids have no more either
const MAX_LABEL = 300;
const MAX_URL = 2000;
const MAX_ITEMS = 60; // with all that GA4 knows of an item they fill the 32 KB that an event may have

/**
 * @param {string} name
 * @param {any} isItem
 */
const lengthOf = (name, isItem) => (/url|image/.test(name) ? MAX_URL : isItem && !/id$/.test(name) ? MAX_LABEL : MAX_TEXT);

/**
 * What of a shop's parameters belongs into an event, as the wire wants it: amounts as they were given, what is no amount left
 * out, because the server would refuse the event for it. Other texts, numbers and booleans become properties. Items keep what
 * they have.
 *
 * @param {any} params
 * @param {any} [isItem]
 * @returns {any}
 */
const fieldsOf = (params, isItem) => {
  /** @type {any} */
  const fields = {};
  /** @type {any} */
  const properties = {};
  let room = MAX_PROPERTIES;
  for (const name in params) {
    const value = params[name];
    const isNumber = NUMBERS.test(name);
    // NaN and the infinite are null in JSON, as if the field were there and wrong.
    const isNothing = value === '' || value == null || Object(value) === value || (!value.slice && value * 0 !== 0);
    if (isNothing || (isNumber && !NUMBER.test(value))) continue;
    if (isItem || FIELDS.test(name)) {
      fields[name] = !isNumber ? String(value).slice(0, lengthOf(name, isItem)) : /^[qi]/.test(name) ? Math.round(value) : value;
    } else if (!NOT_PROPERTIES.test(name) && room-- > 0) {
      properties[name] = value.slice?.(0, MAX_TEXT) || value;
      fields.properties = properties;
    }
  }
  return fields;
};

/**
 * An item without id goes by its name; without either it says nothing.
 *
 * @param {any} params
 * @returns {import('./types').Fields}
 */
export const eventOf = ({ content, items, currency, ...others }) => ({
  content: content?.id && content,
  items: items && Object.values(items).slice(0, MAX_ITEMS)
    .map((/** @type {any} */ item) => fieldsOf(item, true))
    .filter((/** @type {any} */ item) => (item.item_id = item.item_id || item.item_name?.slice(0, MAX_TEXT))),
  ...fieldsOf(others),
  currency: /^[a-z]{3}$/i.test(currency) ? currency.toUpperCase() : undefined,
});
