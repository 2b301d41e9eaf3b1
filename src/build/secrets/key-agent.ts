/*
 * An agent of ssh with the keys of files, for a RUN: `--ssh ID=KEYFILE`. It lists them and signs with them, and does nothing
 * else; the keys themselves never get to the container.
 */
import {
  FAILURE,
  IDENTITIES_ANSWER,
  LENGTH_SIZE,
  listenAsAgent,
  messages,
  REQUEST_IDENTITIES,
  SIGN_REQUEST,
  SIGN_RESPONSE,
} from "./agent-messages.ts";
import type { PrivateKey } from "./private-key.ts";
import { SshFields, sshString } from "./ssh-fields.ts";

/**
 * Makes a socket at which the agent answers, until it is disposed of.
 * @param path where the socket is made; for its owner alone
 * @throws what making a socket fails with
 */
export function serveKeys(keys: readonly PrivateKey[], path: string): Promise<Disposable> {
  return listenAsAgent(path, (client) => {
    const take = messages((request) => void client.write(answerTo(request, keys)));
    client.on("data", (bytes: Buffer) => take(bytes) || client.destroy());
    return [];
  });
}

function answerTo(request: Buffer, keys: readonly PrivateKey[]): Buffer {
  const fields = new SshFields(request.subarray(LENGTH_SIZE + 1));
  try {
    switch (request[LENGTH_SIZE]) {
      case REQUEST_IDENTITIES: {
        const count = Buffer.alloc(4);
        count.writeUInt32BE(keys.length);
        const identities = keys.flatMap(({ publicKey, comment }) => [sshString(publicKey), sshString(comment)]);
        return sshString(Buffer.concat([Buffer.of(IDENTITIES_ANSWER), count, ...identities]));
      }
      case SIGN_REQUEST: {
        const [wanted, data, flags] = [fields.string(), fields.string(), fields.uint32()];
        const key = keys.find(({ publicKey }) => publicKey.equals(wanted));
        if (key === undefined) return FAILURE;
        return sshString(Buffer.concat([Buffer.of(SIGN_RESPONSE), sshString(key.sign(data, flags))]));
      }
      default:
        return FAILURE;
    }
  } catch (error) {
    // A request that is shorter than it says.
    if (error instanceof RangeError) return FAILURE;
    throw error;
  }
}
