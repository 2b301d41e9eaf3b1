/*
 * Theory of operation: questions over TCP (RFC 7766).
 *
 * A connection of the container's to its resolver ends here: in the place of a socket of the host it has one end of a
 * pair of unix sockets, and this is the other. So questions over TCP are answered as those over UDP are (forwarder.ts):
 * local names from here, others by the host's resolvers, of which the next one is asked when one fails or is silent.
 *
 * There is one message at a time. A question is read (never more than it), answered, and the answer written before
 * the next question is read: what a client asks ahead waits in its socket. A message has a slot of the stack's memory
 * only while it is on its way. The connection to a resolver stays for the next question, and what a resolver sends
 * after its answer is passed on as it comes (a zone transfer has many messages).
 */
import { Errno } from "../../sys/errno.ts";
import { connect, isVersion4, openSocket } from "../../sys/internet-socket.ts";
import { Event, type Reactor } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { Egress } from "../egress.ts";
import type { FramePool } from "../frame-pool.ts";
import { isAnswerTo, isFailure, isQuestion, LIFETIME, learn, makeFailure, mayAsk, PATIENCE } from "./asking.ts";
import { FramedMessage } from "./framed-message.ts";
import { answerLocally, LONGEST_LOCAL_QUESTION } from "./local-answer.ts";
import type { LocalNames } from "./local-names.ts";
import type { Resolver, Resolvers } from "./resolvers.ts";

/** What a connection has of what is around it. */
export interface DnsStreamServices {
  readonly reactor: Reactor;
  readonly pool: FramePool;
  readonly resolvers: Pick<Resolvers, "current" | "failed">;
  readonly names: LocalNames | undefined;
  readonly egress: Egress;
  /** Calls `tick` from time to time as long as resolvers are asked. */
  startTimer(): void;
  /** Says that a connection is no more. */
  closed(stream: DnsStream): void;
}

type State =
  /** No message is on its way. */
  | "idle"
  /** A question is being read. */
  | "reading"
  /** It is being written to a resolver, which may have to be connected to first. */
  | "asking"
  /** The resolver's answer is awaited. */
  | "waiting"
  /** An answer is being written. */
  | "answering"
  | "closed";

interface Upstream {
  readonly socket: number;
  readonly resolver: Resolver;
  /** Whether it has answered; one that ends then has had enough, and has not failed. */
  hasAnswered: boolean;
}

/** A connection to the resolver that the container sees; see the head of this file. */
export class DnsStream {
  readonly #services: DnsStreamServices;
  readonly #client: number;
  #state: State = "idle";
  #question: FramedMessage | undefined;
  #answer: FramedMessage | undefined;
  #upstream: Upstream | undefined;
  /** Resolvers that the question has not been put to. */
  #rest: readonly Resolver[] = [];
  #began = 0;
  #askedAt = 0;

  /** @param client a socket, which is closed with this */
  constructor(services: DnsStreamServices, client: number) {
    this.#services = services;
    this.#client = client;
    services.reactor.add(client, Event.IN, (events) => this.#handleClient(events));
  }

  /** Whether a question is being put to resolvers. */
  get isAsking(): boolean {
    return this.#state === "asking" || this.#state === "waiting";
  }

  #enter(state: Exclude<State, "closed">): void {
    const { reactor } = this.#services;
    this.#state = state;
    const ofClient = { idle: Event.IN, reading: Event.IN, asking: 0, waiting: 0, answering: Event.OUT };
    const ofUpstream = { idle: Event.IN, reading: 0, asking: Event.OUT, waiting: Event.IN, answering: 0 };
    reactor.change(this.#client, ofClient[state]);
    if (this.#upstream !== undefined) reactor.change(this.#upstream.socket, ofUpstream[state]);
  }

  #handleClient(events: number): void {
    if (this.#state === "answering" && (events & Event.OUT) !== 0) this.#writeAnswer();
    else if ((this.#state === "idle" || this.#state === "reading") && (events & Event.IN) !== 0) this.#readQuestion();
    // It has gone, and what it has asked for with it.
    else if ((events & (Event.HUP | Event.ERR)) !== 0) this.close();
  }

  #readQuestion(): void {
    const { pool } = this.#services;
    this.#question ??= FramedMessage.make(pool);
    const outcome = this.#question?.read(this.#client) ?? "end";
    if (this.#question === undefined || outcome === "end") this.close();
    else if (outcome === "whole") this.#handle(this.#question);
    else this.#enter("reading");
  }

  #handle(question: FramedMessage): void {
    const { egress, names, pool, resolvers } = this.#services;
    const { view } = pool;
    const { place } = question;
    // Something that nobody waits for any more has come by half.
    if (this.#answer !== undefined) this.#hangUp();
    if (!isQuestion(view, place)) {
      this.close();
      return;
    }
    const answered =
      names === undefined || place.length > LONGEST_LOCAL_QUESTION
        ? undefined
        : answerLocally(view, place.start, place.length, names, "stream");
    if (answered !== undefined) {
      question.replace(answered);
      this.#begin("answering");
      return;
    }
    if (!mayAsk(egress, view, place)) {
      this.close();
      return;
    }
    this.#rest = resolvers.current();
    this.#began = performance.now();
    this.#services.startTimer();
    question.rewind();
    if (this.#upstream === undefined) this.#dial(question);
    else this.#begin("asking");
  }

  /** Enters a state in which something is written, most likely at once. */
  #begin(state: "asking" | "answering"): void {
    this.#askedAt = performance.now();
    this.#enter(state);
    if (state === "asking") this.#writeQuestion();
    else this.#writeAnswer();
  }

  /** Connects to the next resolver; when there is none, the server has failed. */
  #dial(question: FramedMessage): void {
    const { pool, reactor, resolvers } = this.#services;
    for (;;) {
      const [resolver, ...rest] = this.#rest;
      this.#rest = rest;
      if (resolver === undefined) {
        makeFailure(pool.view, question.place);
        question.rewind();
        this.#begin("answering");
        return;
      }
      const { address, port, scope } = resolver;
      const socket = openSocket("tcp", isVersion4(address) ? 4 : 6);
      const result = socket < 0 ? socket : connect(socket, address, port, scope);
      if (result >= 0 || result === -Errno.EINPROGRESS) {
        this.#upstream = { socket, resolver, hasAnswered: false };
        this.#askedAt = performance.now();
        question.rewind();
        reactor.add(socket, Event.OUT, (events) => this.#handleUpstream(events));
        this.#enter("asking");
        return;
      }
      if (socket >= 0) systemCall(SystemCall.close, socket);
      resolvers.failed(resolver);
    }
  }

  #handleUpstream(events: number): void {
    const isAsking = this.#state === "asking";
    const isHeard = this.#state === "waiting" || this.#state === "idle";
    if (isAsking && (events & Event.ERR) === 0 && (events & Event.OUT) !== 0) this.#writeQuestion();
    else if (isHeard && (events & Event.IN) !== 0) this.#readAnswer();
    else this.#give();
  }

  #writeQuestion(): void {
    if (this.#upstream === undefined || this.#question === undefined) return;
    const outcome = this.#question.write(this.#upstream.socket);
    if (outcome === "end") this.#give();
    else if (outcome === "whole") this.#enter("waiting");
  }

  #readAnswer(): void {
    const { egress, pool } = this.#services;
    if (this.#upstream === undefined) return;
    this.#answer ??= FramedMessage.make(pool);
    const outcome = this.#answer?.read(this.#upstream.socket) ?? "end";
    if (this.#answer === undefined || outcome === "end") {
      this.#give();
      return;
    }
    if (outcome === "partial") return;
    const { place } = this.#answer;
    const question = this.#question?.place;
    const isAnswer = question !== undefined && isAnswerTo(pool.view, question, place);
    if (isAnswer && isFailure(pool.view, place) && this.#rest.length > 0) {
      this.#give();
      return;
    }
    if (question !== undefined && !isAnswer) {
      // Of a question that was given up.
      this.#dropAnswer();
      return;
    }
    if (question !== undefined) learn(egress, pool.view, question, place);
    this.#upstream.hasAnswered = true;
    this.#dropQuestion();
    this.#answer.rewind();
    this.#begin("answering");
  }

  #writeAnswer(): void {
    const outcome = (this.#answer ?? this.#question)?.write(this.#client);
    if (outcome === "partial") return;
    if (outcome === "end") {
      this.close();
      return;
    }
    this.#dropAnswer();
    this.#dropQuestion();
    this.#enter("idle");
  }

  /** Gives the resolver up that has failed; if it has been asked something, the next one is. */
  #give(): void {
    const { resolvers } = this.#services;
    const { isAsking } = this;
    if (isAsking && this.#upstream?.hasAnswered === false) resolvers.failed(this.#upstream.resolver);
    this.#hangUp();
    if (this.#question !== undefined && isAsking) this.#dial(this.#question);
  }

  #hangUp(): void {
    this.#dropAnswer();
    if (this.#upstream === undefined) return;
    this.#services.reactor.forget(this.#upstream.socket);
    systemCall(SystemCall.close, this.#upstream.socket);
    this.#upstream = undefined;
  }

  #dropQuestion(): void {
    this.#question?.free();
    this.#question = undefined;
  }

  #dropAnswer(): void {
    this.#answer?.free();
    this.#answer = undefined;
  }

  /** Looks whether the next resolver is to be asked, or none any more. */
  tick(now: number): void {
    if (!this.isAsking) return;
    if (now - this.#began > LIFETIME) this.#rest = [];
    else if (now - this.#askedAt <= PATIENCE || this.#rest.length === 0) return;
    this.#give();
  }

  /** Ends the connection. */
  close(): void {
    if (this.#state === "closed") return;
    this.#hangUp();
    this.#dropQuestion();
    this.#state = "closed";
    this.#services.reactor.forget(this.#client);
    systemCall(SystemCall.close, this.#client);
    this.#services.closed(this);
  }
}
