import { Signal } from "../../sys/signal.ts";

/** What a logout or a shutdown sends. A supervisor has them blocked from its beginning on, and reads them. */
export const STOPPING_SIGNALS: readonly number[] = [Signal.SIGTERM, Signal.SIGINT, Signal.SIGHUP];
