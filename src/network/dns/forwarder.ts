/*
 * Theory of operation: the resolver that the container sees.
 *
 * It knows no names but those of other containers, where there are some (local-answer.ts). Any other question (RFC 1035,
 * over UDP) goes to the host's resolvers by a socket of the host, and the first answer that fits comes back as it is, up
 * to 64 KiB. Each question has a socket of its own, so its port is as hard to guess for a forger as the host's own
 * questions' are. Questions over TCP: stream.ts.
 *
 * Where the host has several resolvers, the next one is asked as soon as one is unreachable, says that it cannot tell
 * (SERVFAIL, REFUSED, NOTIMP), or has been silent for a moment; the earlier ones may still answer. When none is left and
 * all have failed, the container gets the last one's answer or SERVFAIL, not silence. A question that is repeated
 * (the same client, port and identifier) goes to the next resolver at once.
 *
 * A question stays in the slot that it came in while it is open, in case it has to be sent again; there can only be so
 * many, and the oldest gives way.
 */
import { connect, type Endpoint, isVersion4, openSocket, receive, send } from "../../sys/internet-socket.ts";
import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { Egress } from "../egress.ts";
import type { FramePool } from "../frame-pool.ts";
import { NO_SLOT, SLOT_SIZE } from "../frame-pool.ts";
import type { Packet } from "../packet.ts";
import { isAnswerTo, isFailure, isQuestion, LIFETIME, learn, makeFailure, mayAsk, PATIENCE, TICK } from "./asking.ts";
import { answerLocally, LONGEST_LOCAL_QUESTION } from "./local-answer.ts";
import type { LocalNames } from "./local-names.ts";
import type { Resolver, Resolvers } from "./resolvers.ts";

const MAXIMUM_QUESTIONS = 256;

/** Sends a datagram to the container whose payload lies at an address. */
export type SendDatagram = (source: Endpoint, destination: Endpoint, address: number, length: number) => void;

/** A question in progress to one resolver. */
interface Attempt {
  readonly socket: number;
  readonly resolver: Resolver;
}

interface Question {
  readonly key: string;
  readonly client: Endpoint;
  /** The resolver as the container sees it. */
  readonly server: Endpoint;
  readonly slot: number;
  /** Where it lies in the pool's memory. */
  readonly start: number;
  readonly length: number;
  readonly began: number;
  /** Resolvers that have not been asked yet. */
  rest: readonly Resolver[];
  attempts: Attempt[];
  askedAt: number;
}

export class DnsForwarder implements Disposable {
  readonly #reactor: Reactor;
  readonly #pool: FramePool;
  readonly #resolvers: Resolvers;
  readonly #names: LocalNames | undefined;
  readonly #egress: Egress;
  readonly #send: SendDatagram;
  /** The oldest first. */
  readonly #questions = new Map<string, Question>();
  readonly #timer = new Timer();
  #isTicking = false;

  /**
   * @param names that are known here
   * @param egress is told of what is answered
   */
  constructor(
    reactor: Reactor,
    pool: FramePool,
    resolvers: Resolvers,
    names: LocalNames | undefined,
    egress: Egress,
    send: SendDatagram,
  ) {
    this.#reactor = reactor;
    this.#pool = pool;
    this.#resolvers = resolvers;
    this.#names = names;
    this.#egress = egress;
    this.#send = send;
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#tick());
  }

  /** How many questions are open. */
  get size(): number {
    return this.#questions.size;
  }

  /**
   * Takes a question.
   * @param packet whose slot is taken
   * @param start of the question in the pool's memory, up to the packet's end
   * @param client and `server`: the ends, as the container sees them
   */
  handle(packet: Packet, start: number, client: Endpoint, server: Endpoint["address"]): void {
    const { view } = this.#pool;
    const length = packet.end - start;
    const place = { start, length };
    if (!isQuestion(view, place)) return;
    if (this.#names !== undefined && length <= LONGEST_LOCAL_QUESTION) {
      const answered = answerLocally(view, start, length, this.#names, "datagram");
      if (answered !== undefined) {
        const end: Endpoint = { address: server, port: 53 };
        this.#send(end, client, this.#pool.memory.address + start, answered);
        return;
      }
    }
    if (!mayAsk(this.#egress, view, place)) return;
    const key = `${client.address} ${client.port} ${view.getUint16(start)}`;
    const known = this.#questions.get(key);
    if (known !== undefined) {
      this.#ask(known);
      return;
    }
    if (this.#pool.available === 0) return;
    if (this.#questions.size >= MAXIMUM_QUESTIONS) {
      const [oldest] = this.#questions.values();
      if (oldest !== undefined) this.#end(oldest);
    }
    packet.isTaken = true;
    const now = performance.now();
    const question: Question = {
      key,
      client,
      server: { address: server, port: 53 },
      slot: packet.slot,
      start,
      length,
      began: now,
      rest: this.#resolvers.current(),
      attempts: [],
      askedAt: now,
    };
    this.#questions.set(key, question);
    if (!this.#isTicking) {
      this.#isTicking = true;
      this.#timer.start(TICK, TICK);
    }
    this.#ask(question);
  }

  /** Asks the next resolver; when there is none and nobody is left to answer, says so. */
  #ask(question: Question): void {
    question.askedAt = performance.now();
    while (question.rest.length > 0) {
      const [resolver, ...rest] = question.rest;
      question.rest = rest;
      if (resolver !== undefined && this.#askOne(question, resolver)) return;
    }
    if (question.attempts.length === 0) this.#fail(question);
  }

  #askOne(question: Question, resolver: Resolver): boolean {
    const socket = openSocket("udp", isVersion4(resolver.address) ? 4 : 6);
    if (socket < 0) return false;
    const result = connect(socket, resolver.address, resolver.port, resolver.scope);
    const sent = result < 0 ? result : send(socket, this.#pool.memory.address + question.start, question.length);
    if (sent < 0) {
      systemCall(SystemCall.close, socket);
      this.#resolvers.failed(resolver);
      return false;
    }
    const attempt = { socket, resolver };
    question.attempts.push(attempt);
    this.#reactor.add(socket, Event.IN, () => this.#receive(question, attempt));
    return true;
  }

  #receive(question: Question, attempt: Attempt): void {
    const { view, memory } = this.#pool;
    const slot = this.#pool.allocate();
    if (slot === NO_SLOT) {
      this.#end(question);
      return;
    }
    const start = this.#pool.offsetOf(slot);
    const length = receive(attempt.socket, memory.address + start, SLOT_SIZE);
    const answer = { start, length };
    if (length < 0) this.#give(question, attempt);
    else if (isAnswerTo(view, question, answer)) {
      if (isFailure(view, answer) && (question.rest.length > 0 || question.attempts.length > 1))
        this.#give(question, attempt);
      else {
        learn(this.#egress, view, question, answer);
        this.#send(question.server, question.client, memory.address + start, length);
        this.#end(question);
      }
    }
    this.#pool.free(slot);
  }

  /** Gives a resolver up that has failed, and asks the next. */
  #give(question: Question, attempt: Attempt): void {
    this.#resolvers.failed(attempt.resolver);
    this.#close(attempt);
    question.attempts = question.attempts.filter((other) => other !== attempt);
    this.#ask(question);
  }

  /** Makes the question its own answer: the server has failed. */
  #fail(question: Question): void {
    const { view, memory } = this.#pool;
    const { start, length } = question;
    makeFailure(view, question);
    this.#send(question.server, question.client, memory.address + start, length);
    this.#end(question);
  }

  #tick(): void {
    this.#timer.acknowledge();
    const now = performance.now();
    for (const question of this.#questions.values()) {
      if (now - question.began > LIFETIME) this.#fail(question);
      else if (now - question.askedAt > PATIENCE && question.rest.length > 0) {
        const silent = question.attempts.at(-1);
        if (silent !== undefined) this.#resolvers.failed(silent.resolver);
        this.#ask(question);
      }
    }
    if (this.#questions.size > 0) return;
    this.#isTicking = false;
    this.#timer.start(0);
  }

  #end(question: Question): void {
    if (!this.#questions.delete(question.key)) return;
    for (const attempt of question.attempts) this.#close(attempt);
    this.#pool.free(question.slot);
  }

  #close({ socket }: Attempt): void {
    this.#reactor.forget(socket);
    systemCall(SystemCall.close, socket);
  }

  /** Gives all questions up. */
  [Symbol.dispose](): void {
    for (const question of this.#questions.values()) this.#end(question);
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
  }
}
