/*
 * An agent of ssh for a RUN: a socket of its own in the container, each connection of which is one to the user's agent.
 *
 * The agent's own socket is not what the container gets: agents serve their user and root only, and in the container a user
 * is somebody else; and what is asked for here is filtered. A build may see which keys there are and have things signed;
 * it may neither add nor remove keys, nor lock the agent: such requests are answered with a failure, as BuildKit does.
 *
 * The protocol (draft-miller-ssh-agent): messages of a length (4 bytes, big-endian), a type (1 byte), and content. Each
 * request is answered by one message, in order. A refused request waits for the answers of those before it.
 */
import { chmodSync, lstatSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { BunkerError } from "../../sys/error.ts";

/** Where a RUN's agent comes from: `--ssh`. */
export interface AgentSource {
  /** `default` for what RUN asks for without an id. */
  readonly id: string;
  /** The path of the agent's socket; undefined is that of the environment. */
  readonly socket: string | undefined;
}

const REQUEST_IDENTITIES = 11;
const SIGN_REQUEST = 13;
const FAILURE = Buffer.from([0, 0, 0, 1, 5]);
const LENGTH_SIZE = 4;
/** As OpenSSH's agent. */
const LONGEST_MESSAGE = 256 << 10;

/**
 * Finds the socket of an agent.
 * @param environment of the caller
 * @throws BunkerError `agent_not_found`
 */
export function agentSocket(
  { id, socket }: AgentSource,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const path = socket ?? environment["SSH_AUTH_SOCK"];
  if (path === undefined || path === "") {
    throw notFound(id, "SSH_AUTH_SOCK is not set", "Start an agent: eval $(ssh-agent); ssh-add.");
  }
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw notFound(id, `there is no ${path}`, undefined);
  if (status.isSocket()) return path;
  const hint = "Give the socket of an agent that has the key: eval $(ssh-agent); ssh-add KEY.";
  throw notFound(id, `${path} is no socket`, hint);
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

/**
 * Makes a socket that leads to an agent, until it is disposed of.
 * @param agent path of the agent's socket
 * @param path where the socket is made; for its owner alone
 * @throws what making a socket fails with
 */
export async function forwardAgent(agent: string, path: string): Promise<Disposable> {
  const connections = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(agent);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      connections.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        connections.delete(socket);
        // What it has been sent already still arrives.
        other.end();
      });
    }
    relay(client, upstream);
  });
  await listen(server, path);
  chmodSync(path, 0o600);
  return {
    [Symbol.dispose]() {
      server.close();
      for (const socket of connections) socket.destroy();
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path);
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      done();
    });
  });
}

/** Hands requests on one at a time, and refuses what is not permitted. */
function relay(client: Socket, upstream: Socket): void {
  const requests: Buffer[] = [];
  let isWaiting = false;
  const next = () => {
    if (isWaiting) return;
    const request = requests.shift();
    if (request === undefined) return;
    const type = request[LENGTH_SIZE];
    if (type === REQUEST_IDENTITIES || type === SIGN_REQUEST) {
      isWaiting = true;
      upstream.write(request);
    } else {
      client.write(FAILURE);
      next();
    }
  };
  const fromClient = messages((request) => {
    requests.push(request);
    next();
  });
  const fromAgent = messages((answer) => {
    isWaiting = false;
    client.write(answer);
    next();
  });
  client.on("data", (bytes: Buffer) => fromClient(bytes) || client.destroy());
  upstream.on("data", (bytes: Buffer) => fromAgent(bytes) || upstream.destroy());
}

/** Puts messages together; false for one that is longer than any may be. */
function messages(take: (message: Buffer) => void): (bytes: Buffer) => boolean {
  let pending = Buffer.alloc(0);
  return (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    while (pending.length >= LENGTH_SIZE) {
      const length = LENGTH_SIZE + pending.readUInt32BE(0);
      if (length > LONGEST_MESSAGE || length === LENGTH_SIZE) return false;
      if (pending.length < length) return true;
      take(pending.subarray(0, length));
      pending = pending.subarray(length);
    }
    return true;
  };
}
