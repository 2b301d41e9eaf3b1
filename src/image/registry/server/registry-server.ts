/*
 * A small registry: the OCI distribution specification 1.1 over an image layout, with pull, push, content discovery,
 * content management and referrers, and the catalogue of Docker's API.
 *
 * It is for this machine: it listens on loopback, knows no users, and believes what the clients of this machine say. A
 * browser is not among them: it is recognised by the host it thinks it talks to, so that no page can reach the server
 * by a name of its own (DNS rebinding), and by the page that it says it acts for, so that none can send blobs here.
 *
 * Bodies are streamed in both directions. Blobs belong to no repository: what one has, all have, so a mount always
 * succeeds. They stay when manifests are deleted.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BunkerError } from "../../../sys/error.ts";
import { INDEX_MEDIA_TYPE } from "../../media-types.ts";
import type { LayoutStaging } from "../../transport/layout-staging.ts";
import { isLoopbackHost } from "../http/proxy.ts";
import { ApiError } from "./api-error.ts";
import { BlobsApi } from "./blobs-api.ts";
import { sendCatalog, sendTags } from "./lists-api.ts";
import { ManifestsApi } from "./manifests-api.ts";
import type { RegistryContents } from "./registry-contents.ts";
import { isServedRepository } from "./served-name.ts";
import { Uploads } from "./uploads.ts";

export interface RegistryServerSettings {
  readonly contents: RegistryContents;
  /** Where uploads grow; undefined where nothing may be written. */
  readonly staging: LayoutStaging | undefined;
  /** An address of loopback. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Is told what went wrong that is no client's fault. */
  readonly onFault: (error: unknown) => void;
}

/** A running server. */
export interface RegistryServer extends AsyncDisposable {
  /** `HOST:PORT` */
  readonly address: string;
}

/** What browsers say of requests that are another site's. */
const FOREIGN_SITE = /^(?:cross|same)-site$/;

const READING: readonly string[] = ["GET", "HEAD"];

/**
 * Starts a server.
 * @throws BunkerError `address_unavailable`
 */
export async function startRegistryServer(settings: RegistryServerSettings): Promise<RegistryServer> {
  const { contents, staging, host, port, onFault } = settings;
  const uploads = staging === undefined ? undefined : new Uploads(contents, staging);
  const blobs = new BlobsApi(contents, uploads);
  const manifests = new ManifestsApi(contents, staging);
  const server = createServer(async (request, response) => {
    try {
      await answer(request, response, { contents, blobs, manifests });
    } catch (error) {
      if (!(error instanceof ApiError) && !request.destroyed) onFault(error);
      fail(response, error);
    }
  });
  // A client may take all day for a large blob over a slow disk.
  server.requestTimeout = 0;
  await listen(server, host, port);
  const { address, family, port: actualPort } = server.address() as AddressInfo;
  return {
    address: `${family === "IPv6" ? `[${address}]` : address}:${actualPort}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      uploads?.[Symbol.dispose]();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const isTaken = "code" in cause && cause.code === "EADDRINUSE";
      const object = `${host}:${port}`;
      const reason = isTaken ? "somebody else listens there" : cause.message;
      const hint = isTaken ? "Give another port with --address; port 0 is any that is free." : undefined;
      reject(new BunkerError({ code: "address_unavailable", operation: "listen on", object, reason, hint }, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

interface Apis {
  readonly contents: RegistryContents;
  readonly blobs: BlobsApi;
  readonly manifests: ManifestsApi;
}

/** What stands behind the repository's name. */
const ROUTE = /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|referrers|tags)\/([^/]*)$/;

async function answer(request: IncomingMessage, response: ServerResponse, apis: Apis): Promise<void> {
  const { method = "GET", headers } = request;
  if (!isLoopbackHost(headers.host ?? "")) throw new ApiError("DENIED", "this registry is for its own machine");
  if (headers.origin !== undefined || FOREIGN_SITE.test(String(headers["sec-fetch-site"]))) {
    throw new ApiError("DENIED", "this registry is not for web pages");
  }
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  const url = new URL(request.url ?? "/", "http://localhost");
  if (!READING.includes(method) && apis.contents.isReadOnly) {
    throw new ApiError("UNSUPPORTED", "this registry is read-only");
  }
  if (READING.includes(method) && /^\/v2\/?$/.test(url.pathname)) return sendJson(request, response, {});
  if (READING.includes(method) && url.pathname === "/v2/_catalog") {
    return sendJson(request, response, sendCatalog(apis.contents, url, response));
  }
  const [, repository = "", kind, last = ""] = ROUTE.exec(decodePath(url.pathname)) ?? [];
  if (kind === undefined) throw new ApiError("UNSUPPORTED", "no such part of the API", 404);
  if (!isServedRepository(repository)) throw new ApiError("NAME_INVALID", "that is no repository's name");
  const isList = kind === "referrers" || kind === "tags";
  if (isList && !READING.includes(method)) throw new ApiError("UNSUPPORTED", "lists are only read");
  switch (kind) {
    case "blobs":
      return apis.blobs.blob(request, response, repository, last);
    case "blobs/uploads":
      return apis.blobs.upload(request, response, repository, last, url);
    case "manifests":
      return apis.manifests.manifest(request, response, repository, last);
    case "referrers":
      return sendJson(request, response, apis.manifests.referrers(repository, last, url, response), INDEX_MEDIA_TYPE);
    default:
      if (last !== "list") throw new ApiError("UNSUPPORTED", "no such part of the API", 404);
      return sendJson(request, response, sendTags(apis.contents, repository, url, response));
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ApiError("NAME_INVALID", "that is no path of a URL");
  }
}

function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  value: object,
  mediaType = "application/json",
): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { "content-type": mediaType, "content-length": bytes.length });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const isApiError = error instanceof ApiError;
  const code = isApiError ? error.code : "UNKNOWN";
  // What a client need not know stays here; the server's own errors name its files.
  const message = isApiError ? error.message : "the registry has met an error";
  response.writeHead(isApiError ? error.status : 500, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
