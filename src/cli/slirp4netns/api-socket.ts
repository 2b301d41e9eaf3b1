/* The socket of slirp4netns's API: a request as its client sends and ends it, and its answer; what they say is api.ts's. */
import type { NetworkConfiguration } from "../../network/configuration.ts";
import type { Stack } from "../../network/stack.ts";
import { Errno } from "../../sys/errno.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { receive, send } from "../../sys/internet-socket.ts";
import { allocate } from "../../sys/memory.ts";
import { Event, type Reactor } from "../../sys/reactor.ts";
import { acceptUnix } from "../../sys/socket.ts";
import { mapMemory } from "../../sys/system-call.ts";
import { SlirpApi } from "./api.ts";

/** A request has less bytes than this. */
const REQUEST_SIZE = 4096;
const TOO_LONG = JSON.stringify({ error: { desc: "bad request: too large message" } });

export class ApiSocket {
  readonly #reactor: Reactor;
  readonly #listener: number;
  readonly #api: SlirpApi;
  readonly #request = allocate(REQUEST_SIZE);

  /** @param listener a unix socket that listens, non-blocking */
  constructor(reactor: Reactor, listener: number, stack: Stack, configuration: NetworkConfiguration) {
    this.#reactor = reactor;
    this.#listener = listener;
    this.#api = new SlirpApi(stack, configuration);
  }

  /** Accepts a client, reads its request as it comes, and answers it when the client has ended it. */
  accept(): void {
    const client = acceptUnix(this.#listener);
    if (client === undefined) return;
    let request = "";
    this.#reactor.add(client.number, Event.IN, () => {
      const { address, buffer } = this.#request;
      const count = receive(client.number, address, REQUEST_SIZE);
      if (count === -Errno.EAGAIN) return;
      if (count > 0) {
        // What is too long is read to its end all the same: the client would not get an answer before.
        if (request.length < REQUEST_SIZE) request += buffer.toString("utf8", 0, count);
        return;
      }
      if (count === 0) respond(client, request.length < REQUEST_SIZE ? this.#api.answer(request) : TOO_LONG);
      this.#reactor.remove(client.number);
      client.close();
    });
  }
}

function respond(client: FileDescriptor, answer: string): void {
  using memory = mapMemory(Buffer.byteLength(answer), "private");
  const length = memory.buffer.write(answer);
  // A client that has gone without waiting gets nothing.
  send(client.number, memory.address, length);
}
