/*
 * Waiting for newuidmap and newgidmap. They take some milliseconds, in which there is other work to do. Whatever becomes of
 * that, they have to be waited for, since they are children and write to a process that is about to be killed then; and
 * where both fail it is the work that counts, of which they may have failed.
 */

/**
 * Does some work while the maps of a user namespace are being written.
 * @param meetFirst what comes before they are waited for: the process is met whose maps they are
 * @param awaitHelpers waits until the maps are there
 * @param work gets a function that waits for both, where it goes on only then; otherwise that is done after it
 * @throws what the work throws, and otherwise what the waiting does
 */
export function whileMapsAreWritten(
  meetFirst: () => void,
  awaitHelpers: () => void,
  work: (awaitMaps: () => void) => void,
): void {
  let areAwaited = false;
  const awaitMaps = () => {
    if (areAwaited) return;
    areAwaited = true;
    inAnyCase(meetFirst, awaitHelpers);
  };
  inAnyCase(() => work(awaitMaps), awaitMaps);
}

/**
 * Does one thing and then another, whatever has become of the first. Where both fail, it is the first that counts: the
 * other may have failed of that.
 */
function inAnyCase(first: () => void, second: () => void): void {
  try {
    first();
  } catch (error) {
    try {
      second();
    } catch {
      // What it failed of has been said.
    }
    throw error;
  }
  second();
}
