/** The wire, as schema/events.py has it; times are ISO 8601 in UTC, amounts are in major units. */

export type Scalar = string | number | boolean;
export type Amount = string | number;
/** Who said it: the shop by a call, its dataLayer, its structured data, or the beacon itself. */
export type Source = 'call' | 'event' | 'layer' | 'guess' | 'page';

export interface Item {
  item_id: string;
  item_name?: string;
  price?: Amount;
  discount?: Amount;
  quantity?: number;
  index?: number;
  [custom: string]: Scalar | undefined;
}

export interface Content {
  kind: string;
  id: string;
}

export interface Page {
  url: string;
  referrer: string;
  title: string;
}

/** What a shop may say about an event; the rest is the beacon's. */
export interface Fields {
  currency?: string;
  value?: Amount;
  transaction_id?: string;
  coupon?: string;
  shipping?: Amount;
  tax?: Amount;
  items?: Item[];
  content?: Content;
  response_code?: string;
  decision_id?: string;
  placement?: string;
  search_term?: string;
  consent?: string;
  properties?: Record<string, Scalar>;
}

export interface WireEvent extends Fields {
  event_id: string;
  type: string;
  occurred_at: string;
  page: Page;
  customer_id?: string;
}

export interface Offer {
  rank: number;
  item_id: string;
  title: string;
  url: string | null;
  image: string | null;
  price: Amount | null;
  currency: string | null;
  reason_text: string;
  response_code: string;
}

export interface Decision {
  decision_id?: string;
  placement?: string;
  offers: Offer[];
}

export interface Baliza {
  (...args: any[]): any;
  ready?: boolean;
  /** Of guess.js: look at the structured data again. */
  guess?: () => void;
  /** Calls made before the beacon was there; `r` resolves the promise that the stub gave. */
  q?: (ArrayLike<any> & { r?: (answer: any) => void })[];
}

declare global {
  const baliza: Baliza;
  interface Window {
    baliza: Baliza;
    dataLayer?: any[];
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
  interface Document {
    prerendering?: boolean;
  }
}
