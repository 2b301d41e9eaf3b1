import type { BuildObserver, Vertex } from "../../../build/progress.ts";

/**
 * The progress of a build for programs: each event a line of JSON, in the form of BuildKit's `--progress rawjson`.
 * Vertices are told apart by their `digest`.
 */
export function rawProgress(write: (text: string) => void, now: () => number = () => Date.now()): BuildObserver {
  const known = new Map<Vertex, { readonly digest: string; readonly started: string }>();
  const say = (value: object) => write(`${JSON.stringify(value)}\n`);
  return {
    declare: () => undefined,
    event(vertex, event) {
      const time = new Date(now()).toISOString();
      const digest = `sha256:${new Bun.CryptoHasher("sha256").update(`${known.size} ${vertex.name}`).digest("hex")}`;
      const { started, ...identity } = known.get(vertex) ?? { digest, started: time };
      known.set(vertex, { ...identity, started });
      const { name } = vertex;
      if (event.kind === "begin") say({ vertexes: [{ ...identity, name, started }] });
      if (event.kind === "output") {
        const data = Buffer.from(event.bytes).toString("base64");
        say({ logs: [{ vertex: identity.digest, stream: event.stream, data, timestamp: time }] });
      }
      if (event.kind === "status") {
        const completed = event.isDone ? { completed: time } : {};
        say({ statuses: [{ id: event.id, vertex: identity.digest, name: event.text, timestamp: time, ...completed }] });
      }
      if (event.kind !== "end") return;
      const { end } = event;
      const outcome =
        end.kind === "cached"
          ? { cached: true }
          : end.kind === "failed"
            ? { error: end.message }
            : end.kind === "cancelled"
              ? { error: "context canceled" }
              : {};
      say({ vertexes: [{ ...identity, name, started, completed: time, ...outcome }] });
    },
    warn: (message) => say({ warnings: [{ level: 1, short: Buffer.from(message).toString("base64") }] }),
  };
}
