import type { Hook } from "./configuration/configuration.ts";
import { runHostHooks } from "./host-hooks.ts";
import type { State } from "./state.ts";

/**
 * Runs poststart or poststop hooks. What has happened cannot be undone by then, so a hook that fails is a warning, and
 * the next ones run; runtime.md, "Lifecycle".
 */
export function runLateHooks(
  hooks: readonly Hook[] | undefined,
  state: State,
  onWarning: (message: string) => void,
): void {
  for (const hook of hooks ?? []) {
    try {
      runHostHooks([hook], state);
    } catch (error) {
      onWarning(error instanceof Error ? error.message : String(error));
    }
  }
}
