/*
 * An agent of ssh for a RUN: a socket of its own in the container, each connection of which is one to the user's agent.
 *
 * The agent's own socket is not what the container gets: agents serve their user and root only, and in the container a user
 * is somebody else; and what is asked for here is filtered. A build may see which keys there are and have things signed;
 * it may neither add nor remove keys, nor lock the agent: such requests are answered with a failure, as BuildKit does. A
 * refused request waits for the answers of those before it.
 */
import { connect, type Socket } from "node:net";
import { FAILURE, LENGTH_SIZE, listenAsAgent, messages, REQUEST_IDENTITIES, SIGN_REQUEST } from "./agent-messages.ts";

/**
 * Makes a socket that leads to an agent, until it is disposed of.
 * @param agent path of the agent's socket
 * @param path where the socket is made; for its owner alone
 * @throws what making a socket fails with
 */
export function forwardAgent(agent: string, path: string): Promise<Disposable> {
  return listenAsAgent(path, (client) => {
    const upstream = connect(agent);
    // What one has been sent already still arrives.
    client.on("close", () => upstream.end());
    upstream.on("close", () => client.end());
    relay(client, upstream);
    return [upstream];
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
