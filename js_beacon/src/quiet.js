/**
 * Nothing that goes wrong in here may reach the page; who looks at the console's debug level is told.
 *
 * @template {(...args: any[]) => any} Task
 * @param {Task} task
 * @returns {Task}
 */
export const quietly = (task) => /** @type {Task} */ ((...args) => {
  try {
    return task(...args);
  } catch (problem) {
    console.debug(problem, args);
  }
});

/**
 * @param {string} types of events anywhere in the page, separated by spaces
 * @param {(event: any) => void} listener
 */
export const on = (types, listener) => types.split(' ').forEach((type) => addEventListener(type, quietly(listener), true));
