/*
 * Commands that Bunker gives to itself; they are in no help. A container's supervisor stays as long as the container, so
 * what is loaded on the way to it is next to nothing.
 */
import { compileReadily } from "../sys/just-in-time.ts";

/**
 * Executes one of the commands.
 * @param words its name and its arguments
 * @returns the exit status
 */
export async function internal(words: readonly string[]): Promise<number> {
  const [command, first = "", second = "", third = "", fourth = "", fifth = ""] = words;
  // Those that serve wait most of the time; their reactor sees when it has more to do.
  if (command !== "supervise" && command !== "slirp4netns") compileReadily();
  switch (command) {
    case "supervise": {
      const { supervise } = await import("../engine/supervisor/supervise.ts");
      await supervise(Number(first), Number(second), Number(third), fourth, fifth);
      return 0;
    }
    case "compress": {
      const { compressFile } = await import("../engine/log/compress-file.ts");
      await compressFile(first);
      return 0;
    }
    case "health": {
      const { checkHealth } = await import("../engine/health/check-health.ts");
      const { PHASE_STATUS } = await import("../engine/health/phase-status.ts");
      return PHASE_STATUS[await checkHealth(first, second, third === "starting")];
    }
    case "remove-image": {
      const { removeUnusedImage } = await import("../engine/images/remove-unused-image.ts");
      removeUnusedImage(first, second);
      return 0;
    }
    case "poststop": {
      const { poststop } = await import("./poststop.ts");
      poststop(first, second);
      return 0;
    }
    case "memory-events": {
      const { recordMemoryEvents } = await import("../engine/events/record-memory-events.ts");
      recordMemoryEvents(first, second, third);
      return 0;
    }
    case "settle": {
      const { settleContainers } = await import("../engine/lifecycle/settle-container.ts");
      settleContainers(first, words.slice(2));
      return 0;
    }
    case "finish": {
      const { finishContainer } = await import("../engine/lifecycle/settle-container.ts");
      finishContainer(first, second, Number(third));
      return 0;
    }
    case "slirp4netns": {
      const { serveNetwork } = await import("./slirp4netns/serve.ts");
      return serveNetwork(first);
    }
    case "build-run": {
      const { runHere } = await import("../build/run/run-here.ts");
      await runHere();
      return 0;
    }
    default: {
      const { inUserNamespace } = await import("./in-user-namespace.ts");
      return inUserNamespace(words);
    }
  }
}
