/*
 * The API socket of slirp4netns 1.2: a JSON request, ended by the client's shutdown of its side, and a JSON answer.
 * Errors are `{"error":{"desc":"..."}}`.
 */
import * as v from "valibot";
import { formatAddress, parseAddress, UNSPECIFIED_4, UNSPECIFIED_6 } from "../../network/address.ts";
import type { NetworkConfiguration } from "../../network/configuration.ts";
import { bindPort, type PublishedPort } from "../../network/published-port.ts";
import type { Stack } from "../../network/stack.ts";
import { BunkerError } from "../../sys/error.ts";
import { isVersion4 } from "../../sys/internet-socket.ts";

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

const requestSchema = v.object({ execute: v.string(), arguments: v.optional(v.record(v.string(), v.unknown()), {}) });
const addSchema = v.object({
  proto: v.picklist(["tcp", "udp", "tcp4", "udp4", "tcp6", "udp6"]),
  host_addr: v.optional(v.string(), ""),
  host_port: port,
  guest_addr: v.optional(v.string(), ""),
  guest_port: port,
});
const removeSchema = v.object({ id: v.pipe(v.number(), v.integer()) });

type AddArguments = v.InferOutput<typeof addSchema>;

interface Forward {
  readonly id: number;
  readonly request: AddArguments;
  readonly guestAddress: string;
  readonly port: PublishedPort;
}

/** Something in a request that is answered by an error. */
class RequestError extends Error {}

export class SlirpApi {
  readonly #stack: Stack;
  readonly #configuration: NetworkConfiguration;
  readonly #forwards = new Map<number, Forward>();
  #lastId = 0;

  constructor(stack: Stack, configuration: NetworkConfiguration) {
    this.#stack = stack;
    this.#configuration = configuration;
  }

  /** Answers a request; both are JSON. */
  answer(request: string): string {
    try {
      return JSON.stringify({ return: this.#execute(request) });
    } catch (error) {
      if (error instanceof RequestError) return JSON.stringify({ error: { desc: `bad request: ${error.message}` } });
      throw error;
    }
  }

  #execute(text: string): unknown {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw new RequestError("cannot parse JSON");
    }
    const request = v.safeParse(requestSchema, json);
    if (!request.success) throw new RequestError("no execute found");
    const { execute, arguments: given } = request.output;
    switch (execute) {
      case "add_hostfwd":
        return this.#add(read(execute, addSchema, given));
      case "list_hostfwd":
        return { entries: [...this.#forwards.values()].map(describe) };
      case "remove_hostfwd":
        return this.#remove(read(execute, removeSchema, given).id);
      default:
        throw new RequestError("unknown execute");
    }
  }

  #add(request: AddArguments): { readonly id: number } {
    const given = request.host_addr === "" ? undefined : parseAddress(request.host_addr);
    // Without a number the protocol is that of the host's address.
    const isPlain = /[a-z]$/.test(request.proto);
    const isSix = isPlain ? given !== undefined && !isVersion4(given) : request.proto.endsWith("6");
    const subnet = isSix ? this.#configuration.ipv6 : this.#configuration.ipv4;
    const host = request.host_addr === "" ? (isSix ? UNSPECIFIED_6 : UNSPECIFIED_4) : given;
    const guest = request.guest_addr === "" ? subnet?.address : parseAddress(request.guest_addr);
    if (host === undefined || isVersion4(host) === isSix)
      throw new RequestError("add_hostfwd: bad arguments.host_addr");
    if (guest === undefined || isVersion4(guest) === isSix) {
      throw new RequestError("add_hostfwd: bad arguments.guest_addr");
    }
    const protocol = request.proto.startsWith("tcp") ? "tcp" : "udp";
    let published: PublishedPort;
    try {
      const bound = bindPort(protocol, { address: host, port: request.host_port });
      published = this.#stack.publish(bound, { address: guest, port: request.guest_port });
    } catch (error) {
      if (error instanceof BunkerError) throw new RequestError(`add_hostfwd: ${error.message}`);
      throw error;
    }
    const id = ++this.#lastId;
    const guestAddress = formatAddress(guest);
    this.#forwards.set(id, {
      id,
      request: { ...request, host_addr: formatAddress(host) },
      guestAddress,
      port: published,
    });
    return { id };
  }

  #remove(id: number): object {
    const forward = this.#forwards.get(id);
    if (forward === undefined) throw new RequestError("remove_hostfwd: bad arguments.id");
    this.#forwards.delete(id);
    this.#stack.unpublish(forward.port);
    return {};
  }
}

function read<const Schema extends v.GenericSchema>(
  execute: string,
  schema: Schema,
  given: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, given);
  if (result.success) return result.output;
  throw new RequestError(`${execute}: bad arguments.${result.issues[0].path?.[0]?.key ?? ""}`);
}

function describe({ id, request, guestAddress }: Forward): object {
  return {
    id,
    proto: request.proto,
    host_addr: request.host_addr,
    host_port: request.host_port,
    guest_addr: guestAddress,
    guest_port: request.guest_port,
  };
}
