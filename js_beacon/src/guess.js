/* What the page itself says it sells: schema.org's Product as JSON-LD or microdata. Loaded where the shop said nothing. */

const PRODUCT = /Product(Group)?\b/;

/**
 * The first of what may be one or several.
 *
 * @param {any} value
 * @returns {any}
 */
const first = (value) => [].concat(value)[0] || {};

/**
 * Offers are shown on other pages than this one, so their addresses have to be whole.
 *
 * @param {any} address
 */
const absolute = (address) => {
  try {
    if (address.slice) return new URL(address, location.href).href;
  } catch {
    // The view is worth more than an address that is none.
  }
};

/**
 * The products that a JSON-LD document is about; products inside of lists and other things are not what the page is about.
 *
 * @param {any} node
 * @returns {any[]}
 */
export const productsIn = (node) =>
  Array.isArray(node) ? node.flatMap(productsIn)
    : !node ? []
      : PRODUCT.test(node['@type']) ? (node.isVariantOf ? [] : [node])
        : productsIn(node['@graph'] || node.mainEntity);

/**
 * A view of the product as GA4 would say it.
 *
 * @param {any} product
 */
export const viewOf = (product) => {
  // A group of variants has its price with the first of them.
  const offer = first(product.offers || first(product.hasVariant).offers);
  const asked = first(offer.priceSpecification);
  const image = first(product.image);
  return {
    currency: offer.priceCurrency || asked.priceCurrency,
    items: [{
      item_id: product.sku || product.productID || product.productGroupID || product.gtin13 || product.gtin || product.mpn,
      item_name: product.name,
      item_brand: first(product.brand).name || product.brand,
      item_category: product.category,
      price: offer.price || offer.lowPrice || asked.price,
      image: absolute(image.url || image),
      url: absolute(product.url || ''),
    }],
  };
};

const SCOPE = '[itemtype$="g/Product"]';

/** The marked products of the page, without those that are parts of another one's description. */
const marked = () => [...document.querySelectorAll(SCOPE)].filter((each) => !each.parentElement?.closest(SCOPE));

/**
 * Microdata in the form of JSON-LD.
 *
 * @param {Element} scope
 */
const microdataOf = (scope) => {
  /** @type {any} */
  const node = {};
  scope.querySelectorAll('[itemprop]').forEach((/** @type {any} */ part) => {
    const name = part.getAttribute('itemprop');
    if (node[name] || part.parentNode.closest('[itemscope]') !== scope) return;
    node[name] = part.matches('[itemscope]') ? microdataOf(part)
      : part.getAttribute('content') || part.src || part.href || part.textContent.trim();
  });
  return node;
};

/**
 * The one product that a page is about; nothing when it is about none or several. Review tools like to say the shop's product
 * again, so the same name is the same product.
 *
 * @param {any[]} products
 */
export const onlyOne = (products) => (products.every(({ name }) => name === products[0].name) ? products[0] : undefined);

let last = '';

/** Tell of the product, unless it is still the one of the page view before: single-page shops leave old data behind. */
function guess() {
  /** @type {any[]} */
  const found = [];
  document.querySelectorAll('[type*=ld]').forEach((script) => {
    try {
      found.push(...productsIn(JSON.parse(script.innerHTML)));
    } catch {
      // Shops' templates break their JSON-LD often enough; others on the page may be whole.
    }
  });
  const product = onlyOne(found[0] ? found : marked().map(microdataOf));
  const said = product ? JSON.stringify(product) : '';
  if (said && said !== last) window.baliza('event', 'view_item', viewOf(product), 'guess');
  last = said;
}

if (typeof document !== 'undefined') {
  window.baliza.guess = () => {
    try {
      guess();
    } catch {
      // A guess is not worth a page's peace.
    }
  };
  window.baliza.guess();
}
