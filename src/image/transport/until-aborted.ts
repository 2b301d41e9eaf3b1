/**
 * Waits for something that cannot be called off: a pipe whose other end neither gives nor takes anything.
 * @param work goes on when the signal comes first; what becomes of it is nobody's concern then
 * @throws the reason of `signal`, and what `work` throws
 */
export async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
