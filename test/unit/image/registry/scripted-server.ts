/** A little HTTP server of a test's own, for answers that no real registry gives. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { type Digest, digestOf } from "../../../../src/image/digest.ts";
import type { Descriptor } from "../../../../src/image/documents.ts";
import { CONFIGURATION_TYPE, MANIFEST_TYPE } from "../image-builder.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface ScriptedServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`, with TLS `localhost:PORT` */
  readonly host: string;
  /** `GET /v2/…` of every request but those that ask which protocol it speaks, in their order. */
  readonly requests: readonly string[];
  /** The Authorization headers of the same requests. */
  readonly authorizations: readonly (string | undefined)[];
  /** How many there were that ask which protocol it speaks. */
  readonly questions: number;
}

/**
 * Starts a server on a free port of loopback.
 * @param tls what it has TLS with, as node:https takes it; without, it speaks plain HTTP and is called by its address
 */
export async function startScriptedServer(handler: Handler, tls?: ServerOptions): Promise<ScriptedServer> {
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  let questions = 0;
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/v2/") {
      questions++;
      response.end();
      return;
    }
    requests.push(`${request.method} ${request.url}`);
    authorizations.push(request.headers.authorization);
    void handler(request, response);
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `${tls === undefined ? "127.0.0.1" : "localhost"}:${(server.address() as AddressInfo).port}`,
    requests,
    authorizations,
    get questions() {
      return questions;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An image with one blob as its layer, for servers that give it out with faults. */
export interface SmallImage {
  readonly manifest: Buffer;
  readonly manifestDigest: Digest;
  readonly blob: Buffer;
  readonly layer: Descriptor;
}

/** Makes one with a layer of so many bytes. */
export function smallImage(size = 100_000): SmallImage {
  const blob = Buffer.alloc(size);
  for (let index = 0; index < size; index++) blob[index] = (index * 7 + (index >> 8)) & 0xff;
  const configuration = Buffer.from("{}");
  const layer = {
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: digestOf(blob),
    size,
    annotations: {},
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: CONFIGURATION_TYPE, digest: digestOf(configuration), size: configuration.length },
      layers: [layer],
    }),
  );
  return { manifest, manifestDigest: digestOf(manifest), blob, layer };
}

/** Answers with an error in the form of the distribution specification. */
export function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] }));
}
