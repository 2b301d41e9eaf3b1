/*
 * What agents of ssh and those who ask them say (draft-miller-ssh-agent): messages of a length (4 bytes, big-endian), a type
 * (1 byte), and content. Each request is answered by one message, in order.
 */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";

export const REQUEST_IDENTITIES = 11;
export const IDENTITIES_ANSWER = 12;
export const SIGN_REQUEST = 13;
export const SIGN_RESPONSE = 14;
export const FAILURE = Buffer.from([0, 0, 0, 1, 5]);
export const LENGTH_SIZE = 4;
/** As OpenSSH's agent. */
const LONGEST_MESSAGE = 256 << 10;

/**
 * Makes a socket at which an agent answers, until it is disposed of.
 * @param path where the socket is made; for its owner alone
 * @param serve is given each connection, and returns what else ends with the socket
 * @throws what making a socket fails with
 */
export async function listenAsAgent(path: string, serve: (client: Socket) => readonly Socket[]): Promise<Disposable> {
  const connections = new Set<Socket>();
  const server = createServer((client) => {
    for (const socket of [client, ...serve(client)]) {
      connections.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => connections.delete(socket));
    }
  });
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      done();
    });
  });
  chmodSync(path, 0o600);
  return {
    [Symbol.dispose]() {
      server.close();
      for (const socket of connections) socket.destroy();
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path);
    },
  };
}

/** Puts messages together; false for one that is longer than any may be. */
export function messages(take: (message: Buffer) => void): (bytes: Buffer) => boolean {
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
