import { type Stats, statSync } from "node:fs";
import { BunkerError } from "../../sys/error.ts";
import { forwardAgent } from "./agent-forwarding.ts";
import { serveKeys } from "./key-agent.ts";
import { readPrivateKey } from "./private-key.ts";

/** Where a RUN's agent comes from: `--ssh`. */
export interface AgentSource {
  /** `default` for what RUN asks for without an id. */
  readonly id: string;
  /** The socket of an agent, or files with keys; none for the agent of the environment. */
  readonly paths: readonly string[];
}

/**
 * Makes a socket at which a RUN reaches the agent that was given, until it is disposed of.
 * @param environment of the caller
 * @param path where the socket is made; for its owner alone
 * @throws BunkerError `agent_not_found`, and as `readPrivateKey`
 */
export function openAgent(
  { id, paths }: AgentSource,
  environment: Readonly<Record<string, string | undefined>>,
  path: string,
): Promise<Disposable> {
  const [first, ...more] = paths;
  const socket = first ?? environment["SSH_AUTH_SOCK"];
  if (socket === undefined || socket === "") {
    throw notFound(
      id,
      "SSH_AUTH_SOCK is not set",
      "Start an agent, eval $(ssh-agent); ssh-add, or give files with keys.",
    );
  }
  if (more.length === 0 && statusOf(socket, id).isSocket()) return forwardAgent(socket, path);
  if (first === undefined) throw notFound(id, `${socket} is no socket`, undefined);
  const isSocket = paths.find((each) => statusOf(each, id).isSocket());
  if (isSocket !== undefined)
    throw notFound(id, `the socket ${isSocket} cannot be together with other paths`, undefined);
  return serveKeys(paths.map(readPrivateKey), path);
}

function statusOf(path: string, id: string): Stats {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw notFound(id, `there is no ${path}`, undefined);
  return status;
}

function notFound(id: string, reason: string, hint: string | undefined): BunkerError {
  return new BunkerError({
    code: "agent_not_found",
    operation: "find the ssh agent",
    object: id,
    reason,
    hint,
    exitStatus: 1,
  });
}
