// Waiting for events, with a limit, so that a missing one fails its test with a sentence.

export const SECONDS = 5;

/** Records the events of a user agent or call from now on. */
export function record(target, types) {
  const events = [];
  const waiting = new Set();
  for (const type of types) {
    target.on(type, (event) => {
      const entry = { type, ...event };
      events.push(entry);
      for (const check of [...waiting]) check();
    });
  }
  return {
    events,
    states: () => events.map(({ state }) => state).filter((state) => state !== undefined),
    /** The first event, past or future, that `matches`. */
    until(matches, what = matches.toString(), seconds = SECONDS) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const found = events.find(matches);
          if (found === undefined) return;
          waiting.delete(check);
          clearTimeout(timer);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`no event ${what} in ${seconds} s; there were ${JSON.stringify(events)}`));
        }, seconds * 1000);
        waiting.add(check);
        check();
      });
    },
  };
}

/** The next event of one type. */
export function next(target, type, seconds = SECONDS) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no event ${type} in ${seconds} s`)), seconds * 1000);
    const off = target.on(type, (event) => {
      clearTimeout(timer);
      off();
      resolve(event);
    });
  });
}

/** `promise`, or a failure after a while. */
export function within(promise, what, seconds = SECONDS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
