/*
 * Streaming a blob from a registry. When the connection breaks, or the server falls silent, the download goes on where
 * it was, by a Range request; servers that send everything again are read over to that place. Attempts are counted from
 * the last piece that came, so a large blob over a bad line gets there, and a dead server is still given up.
 */
import { BunkerError } from "../../sys/error.ts";
import type { Descriptor } from "../documents.ts";
import { passingInTransfer, TransientFailure } from "./http/failure.ts";
import type { HttpResponse } from "./http/http-client.ts";
import { pullScope } from "./manifests.ts";
import type { Repository } from "./registries.ts";
import { waitAfter } from "./retry.ts";

const OPERATION = "download";

/**
 * Streams the bytes of a blob.
 * @param offset bytes at its beginning that are not wanted
 * @throws BunkerError `image_invalid` when the registry has more or fewer bytes than the descriptor says,
 *   `image_not_found`, and what `RegistryClient` can meet
 */
export async function* downloadBlob(
  repository: Repository,
  descriptor: Descriptor,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { patience } = repository.client;
  const object = `blob ${descriptor.digest}`;
  let position = offset;
  let failures = 0;
  while (position < descriptor.size) {
    try {
      for await (const piece of piecesFrom(repository, descriptor, position, signal)) {
        if (position + piece.length > descriptor.size) throw wrongSize(object, `more than ${descriptor.size} bytes`);
        position += piece.length;
        failures = 0;
        yield piece;
      }
      if (position < descriptor.size) {
        throw new TransientFailure(wrongSize(object, `${position} bytes instead of ${descriptor.size}`));
      }
    } catch (failure) {
      const passing = position > offset ? passingInTransfer(failure) : failure;
      if (!(passing instanceof TransientFailure)) throw failure;
      failures += passing.weight;
      if (failures >= patience.attempts) throw passing.error;
      await waitAfter(failures, passing, patience, signal);
    }
  }
}

/** The bytes from a position on, of one answer. */
async function* piecesFrom(
  { client, path }: Repository,
  descriptor: Descriptor,
  position: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const response = await client.send({
    method: "GET",
    target: `${path}/blobs/${descriptor.digest}`,
    headers: position === 0 ? {} : { range: `bytes=${position}-${descriptor.size - 1}` },
    scopes: [pullScope(path)],
    expected: [200, 206, 416],
    operation: OPERATION,
    object: `blob ${descriptor.digest}`,
    signal,
    once: true,
    missingHint: "The image is not whole there: push it again, or ask whoever did",
  });
  if (response.status === 416) {
    await response.discard();
    throw wrongSize(`blob ${descriptor.digest}`, `at most ${position} bytes instead of ${descriptor.size}`);
  }
  let surplus = position - startOf(response);
  if (surplus < 0) {
    await response.discard();
    throw new BunkerError({
      code: "registry_failed",
      operation: OPERATION,
      object: `blob ${descriptor.digest}`,
      reason: `${response.url.host} was asked for byte ${position} and sends from byte ${startOf(response)} on`,
    });
  }
  for await (const piece of response.pieces()) {
    const wanted = piece.subarray(surplus);
    surplus = Math.max(surplus - piece.length, 0);
    if (wanted.length > 0) yield wanted;
  }
}

/** The place in the blob of the first byte of an answer; RFC 9110, section 14.4. */
function startOf({ status, headers }: HttpResponse): number {
  const [, start] = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "") ?? [];
  return status === 206 ? Number(start ?? 0) : 0;
}

function wrongSize(object: string, reason: string): BunkerError {
  return new BunkerError({ code: "image_invalid", operation: "read", object, reason: `the registry has ${reason}` });
}
