const SEEN_AFTER = 1000; // ms; with half of it visible that is the IAB's rule
const DONE = -1;

/**
 * Calls back once for each observed element of which half (or half the screen, when it is larger) was visible for one second.
 *
 * @param {(element: any) => void} onSeen
 */
export const watchSeen = (onSeen) => {
  /** @type {WeakMap<Element, any>} The timers of what is visible. */
  const timers = new WeakMap();

  return new IntersectionObserver((entries) => {
    entries.forEach(({ target, intersectionRatio, intersectionRect: { width, height } }) => {
      const area = width * height;
      let timer = timers.get(target);
      clearInterval(timer);
      if (timer === DONE || !area || (intersectionRatio < 0.5 && area * 2 < innerWidth * innerHeight)) return;
      timer = setInterval(() => {
        if (document.hidden) return;
        clearInterval(timer);
        timers.set(target, DONE);
        onSeen(target);
      }, SEEN_AFTER);
      timers.set(target, timer);
    });
    // Small steps first, because half a screen of a very tall element is a small part of it.
  }, { threshold: [0.02, 0.05, 0.1, 0.2, 0.3, 0.5] });
};
