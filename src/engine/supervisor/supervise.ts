/*
 * Theory of operation: the supervisor, one process for each container that runs.
 *
 * It is this same executable, started by the launch program that also clones the container's first process, and so that
 * process's parent (runtime/container-program.ts). The command that starts a container has everything that is needed for
 * that in memory; the supervisor begins anew with nothing but what it needs to watch: private memory is what a machine
 * with a hundred containers pays for. While it starts, the container starts beside it, or has ended: early-end.ts says
 * which containers need none.
 *
 *   run, start ──launch program──▶ supervisor (a session of its own, / as directory, no streams)
 *       │                              └─▶ the container's first process
 *       └── socket pair ── supervise, with the ends of the container's pipes or its terminal
 *
 * Its JavaScript thread is in one epoll loop: the container's end (a pidfd), its outputs and the inputs of those who are
 * attached (container-streams.ts), connections of commands (protocol.ts), signals, and timers of the restart policy and of
 * health checks. What it seldom needs is loaded when it is needed: after the loop has ended, as the database is, between two
 * rounds of it, as is what reads the requests of foreign commands, or in a child of its own.
 *
 * Life and death. The command may die at any time. Before it has said `supervise`, the container dies with it; after
 * that it lives on, as does one that a terminal was detached from. The supervisor is what a container cannot live
 * without: the kernel kills the container's first process, and with its pid namespace all others, when the supervisor
 * dies (PR_SET_PDEATHSIG), since without it nobody would read the container's output or learn of its end. It holds the
 * container's lock by a descriptor, so that its death is seen by everybody (lifecycle/settle.ts); who sees it first kills
 * what the kernel does not (lifecycle/kill-first-process.ts). SIGTERM,
 * SIGINT and SIGHUP, as at a logout or shutdown, stop the container in order.
 *
 * The end: all output is read and logged, the end is recorded (or by the command, if that is there and wants to: it has
 * the code for it loaded; one that was stopped by a signal is not waited for), whoever waits is told, and the lock is
 * given back. With a restart policy the supervisor then waits, still at the socket, and becomes the command that starts
 * the container again, with a supervisor of its own.
 */
import { acceptConnection } from "../../sys/accept-connection.ts";
import { setBlocking } from "../../sys/blocking.ts";
import { Errno } from "../../sys/errno.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { type Received, receiveMessage, sendMessage } from "../../sys/message-socket.ts";
import { type ProcessEnd, waitForExit } from "../../sys/process.ts";
import { Event, openProcess, Reactor, SignalDescriptor, Timer } from "../../sys/reactor.ts";
import { Signal } from "../../sys/signal.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { ContainerNetworks, HandedLink, HandedPort, LostLink } from "../network/serve-network.ts";
import { type ContainerLock, supervisorsLock } from "../state/container-lock.ts";
import { ContainerStreams } from "./container-streams.ts";
import { OutputCopier } from "./output-copier.ts";
import type { Answer, Request, Supervise } from "./protocol.ts";
import { STOPPING_SIGNALS } from "./stopping-signals.ts";

/** Milliseconds between two looks at whether a command that is to record the end can do so. */
const COMMAND_PATIENCE = 500;

/** So many fit into a message. */
const FLOWS_PER_ANSWER = 64;

/** Somebody who talks with the supervisor. */
interface Connection {
  readonly socket: FileDescriptor;
  readonly parse: RequestParser;
  waits: boolean;
  /** Answers that it has no room for yet. Until it has taken them, what it asks for next waits as well. */
  readonly answers: string[];
}

/** Reads a request; undefined for what is none. */
type RequestParser = (text: string) => Request | undefined;

/** Reads a request of the command that starts the container, which is this program; protocol.ts. */
function ownRequest(text: string): Request {
  return JSON.parse(text);
}

/**
 * Supervises a container from `supervise` to its end.
 * @param control the socket to the command that starts it
 * @param lock a descriptor that holds the container's lock
 * @param listener the socket that other commands connect to
 */
export async function supervise(
  control: number,
  lock: number,
  listener: number,
  data: string,
  id: string,
): Promise<void> {
  const supervisor = new Supervisor(new FileDescriptor(control), supervisorsLock(lock, data, id), data, id);
  try {
    await supervisor.run(new FileDescriptor(listener));
  } catch (error) {
    try {
      await supervisor.tellFailure(error);
    } finally {
      // The kernel may not; see kill-first-process.ts.
      await killChildren();
    }
    throw error;
  }
}

class Supervisor {
  readonly #command: FileDescriptor;
  readonly #lock: ContainerLock;
  readonly #data: string;
  readonly #id: string;
  readonly #reactor = new Reactor();
  readonly #streams: ContainerStreams;
  readonly #connections = new Set<Connection>();
  /** Attachments that were asked for before the container was there. */
  readonly #early: { readonly streams: string; readonly descriptors: readonly FileDescriptor[] }[] = [];
  /** What was handed over of networks before the container was there. */
  readonly #earlyLinks: HandedLink[] = [];
  readonly #earlyPorts: HandedPort[] = [];
  #mountNamespace: FileDescriptor | undefined;
  #networks: ContainerNetworks | undefined;
  #end: ProcessEnd | undefined;
  #isCommandThere = true;
  #isWaitingForCommand = false;
  #isEnding = false;
  #isStopped = false;
  #isStopCommand = false;
  #isRestart = false;
  #isShutDown = false;
  #isOutOfMemory = false;
  #isRecorded = false;
  #isLoopOver = false;
  /** Whether it waits to start the container again. */
  #isBetweenRuns = false;
  /** Whether it is time to see whether the command was stopped. */
  #isCommandLate = false;
  /** Whether somebody wants to be let in whose requests cannot be read yet. */
  #isParserWanted = false;
  /** Devices whose failure is to be written down. */
  readonly #lostLinks: LostLink[] = [];
  /** Reads the requests of others than the command; loaded for the first of them. */
  #parseForeign: RequestParser | undefined;
  #container: { readonly pid: number; readonly pidfd: FileDescriptor } | undefined;

  constructor(command: FileDescriptor, lock: ContainerLock, data: string, id: string) {
    this.#command = command;
    this.#lock = lock;
    this.#data = data;
    this.#id = id;
    this.#streams = new ContainerStreams(this.#reactor, { data, id }, () => this.#stopWhenDone());
  }

  async run(listener: FileDescriptor): Promise<void> {
    const supervise = await this.#awaitCommand();
    if (supervise === undefined) return killChildren();
    this.#listen(listener);
    const left = await this.#takeWhatIsLeft(supervise);
    await this.#serveNetworks(supervise);
    const limiter = await this.#limit(supervise);
    const memory = await this.#watchMemory(supervise);
    const exitStatus = await this.#superviseUntilEnd(supervise);
    limiter?.[Symbol.dispose]();
    memory?.[Symbol.dispose]();
    // Before anybody is told that the container has ended.
    left?.[Symbol.dispose]();
    // Before the container may start again, and bind its ports anew.
    this.#networks?.[Symbol.dispose]();
    this.#networks = undefined;
    const isAgain = await this.#recordEnd(supervise, exitStatus);
    if (!isAgain) this.#lock.release();
    for (const connection of this.#connections) this.#tellExit(connection, exitStatus);
    if (isAgain) await this.#startAgain(supervise, listener);
    else this.#stopListening(listener);
    // Those who are attached and slow still get all.
    if (this.#streams.areBusy) this.#reactor.run();
  }

  /** Its standard error is nowhere: tells whoever listens, and the record, what it failed of. */
  async tellFailure(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const sockets = new Set([this.#command, ...[...this.#connections].map(({ socket }) => socket)]);
    for (const socket of sockets) {
      if (!socket.isClosed) sendMessage(socket.number, JSON.stringify({ kind: "failed", reason } satisfies Answer));
    }
    const { recordSupervisorFailure } = await import("../lifecycle/record-end.ts");
    recordSupervisorFailure(this.#data, this.#id, reason);
  }

  /** Waits for `supervise`, before which the command may have asked to be attached. Returns undefined if it dies. */
  async #awaitCommand(): Promise<Supervise | undefined> {
    for (;;) {
      const received = receiveMessage(this.#command.number, true);
      if (received.kind !== "message") return undefined;
      const request = ownRequest(received.text);
      if (request.kind === "attach") this.#early.push({ streams: request.streams, descriptors: received.descriptors });
      if (request.kind === "network" || request.kind === "ports") this.#takeNetwork(request, received.descriptors);
      if (request.kind === "mount namespace") [this.#mountNamespace] = received.descriptors;
      if (request.kind !== "supervise") continue;
      await this.#streams.take(request, received.descriptors);
      for (const { streams, descriptors } of this.#early) this.#streams.attach(streams, descriptors);
      return request;
    }
  }

  #takeNetwork(request: Extract<Request, { kind: "network" | "ports" }>, descriptors: readonly FileDescriptor[]): void {
    if (request.kind === "network") {
      const [device] = descriptors;
      if (device !== undefined) this.#earlyLinks.push({ ...request, membership: request.membership, device });
    } else {
      const ports = request.bindings.flatMap((binding, index) => {
        const socket = descriptors[index];
        return socket === undefined ? [] : [{ ...binding, socket }];
      });
      this.#earlyPorts.push(...ports);
    }
  }

  /** Serves the container's networks, if it may have some. */
  async #serveNetworks({ networks }: Supervise): Promise<void> {
    if (networks === undefined) return;
    const { ContainerNetworks } = await import("../network/serve-network.ts");
    this.#networks = new ContainerNetworks(this.#reactor, this.#data, this.#id, networks, (lost) => {
      this.#lostLinks.push(lost);
      this.#reactor.stop();
    });
    for (const link of this.#earlyLinks) {
      // A network of its own is served at once.
      this.#addNetwork(link, (answer) => void (link.membership === undefined || this.#answerCommand(answer)));
    }
    this.#networks.publish(this.#earlyPorts);
  }

  #addNetwork(link: HandedLink, answer: (answer: Answer) => void): void {
    try {
      this.#networks?.add(link, () => answer({ kind: "served" }));
    } catch (error) {
      answer({ kind: "served", error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Keeps the container to limits that no cgroup keeps it to. */
  async #limit({ softLimits, pid, pidNamespace }: Supervise): Promise<Disposable | undefined> {
    if (softLimits === undefined) return undefined;
    const { SoftLimiter } = await import("./soft-limiter.ts");
    return new SoftLimiter(this.#reactor, softLimits, { pid, pidNamespace }, () => {
      this.#isOutOfMemory = true;
    });
  }

  async #watchMemory({ memoryGroup }: Supervise): Promise<Disposable | undefined> {
    if (memoryGroup === undefined) return undefined;
    const { watchMemory } = await import("./memory-watcher.ts");
    return watchMemory(this.#reactor, memoryGroup, this.#data, this.#id);
  }

  /** Sees to it that nothing of the container outlives it, where the kernel does not. */
  async #takeWhatIsLeft({ pid, pidNamespace }: Supervise): Promise<Disposable | undefined> {
    if (pidNamespace === "own") return undefined;
    const { takeWhatIsLeft } = await import("./what-is-left.ts");
    return takeWhatIsLeft(this.#reactor, pid, this.#mountNamespace);
  }

  #listen(listener: FileDescriptor): void {
    this.#reactor.add(listener.number, Event.IN, () => {
      const parse = this.#parseForeign;
      if (parse === undefined) {
        // Nothing is loaded while the loop runs. Whoever stands at the door still does when it goes on.
        this.#isParserWanted = true;
        this.#reactor.stop();
        return;
      }
      const socket = acceptConnection(this.#reactor, listener.number);
      if (socket !== undefined) this.#connect(socket, parse);
    });
  }

  /** Runs the loop until `#endLoop`, or until there is nothing left to wait for. */
  async #runLoop(): Promise<void> {
    this.#isLoopOver = false;
    for (;;) {
      this.#reactor.run();
      if (this.#isLoopOver || !(await this.#doBetweenRounds())) return;
    }
  }

  /** Does what code is loaded for; whether there was something. */
  async #doBetweenRounds(): Promise<boolean> {
    const lost = this.#lostLinks.splice(0);
    if (lost.length > 0) {
      const { recordLoss } = await import("../network/record-loss.ts");
      for (const link of lost) recordLoss(this.#data, this.#id, link);
    }
    const isParserWanted = this.#isParserWanted;
    this.#isParserWanted = false;
    if (isParserWanted) this.#parseForeign = (await import("./parse-request.ts")).parseRequest;
    const isCommandLate = this.#isCommandLate;
    this.#isCommandLate = false;
    if (isCommandLate && (await import("../lifecycle/record-end.ts")).isRecorderStopped()) return false;
    return isParserWanted || isCommandLate || lost.length > 0;
  }

  #endLoop(): void {
    this.#isLoopOver = true;
    this.#reactor.stop();
  }

  #stopListening(listener: FileDescriptor): void {
    this.#reactor.remove(listener.number);
    listener.close();
    // The directory may be gone, and another supervisor's socket in its place is not ours to remove.
    for (const connection of [...this.#connections]) this.#disconnect(connection);
  }

  #connect(socket: FileDescriptor, parse: RequestParser): Connection {
    const connection: Connection = { socket, parse, waits: false, answers: [] };
    this.#connections.add(connection);
    this.#reactor.add(socket.number, Event.IN, () => {
      if (connection.answers.length > 0) {
        this.#goOnAnswering(connection);
        return;
      }
      const received = receiveMessage(socket.number, false);
      if (received.kind === "end") this.#disconnect(connection);
      else if (received.kind === "message") this.#handle(connection, received);
    });
    return connection;
  }

  #disconnect(connection: Connection): void {
    if (connection.socket === this.#command) this.#isCommandThere = false;
    this.#reactor.remove(connection.socket.number);
    connection.socket.close();
    this.#connections.delete(connection);
    this.#stopWhenDone();
  }

  #handle(connection: Connection, received: Extract<Received, { kind: "message" }>): void {
    const request = connection.parse(received.text);
    const taken = request === undefined ? false : this.#obey(connection, request, received.descriptors);
    if (!taken) for (const descriptor of received.descriptors) descriptor.close();
  }

  /** Returns whether it has taken the descriptors. */
  #obey(connection: Connection, request: Request, descriptors: readonly FileDescriptor[]): boolean {
    switch (request.kind) {
      case "attach":
        this.#streams.attach(request.streams, descriptors);
        this.#answer(connection, { kind: "attached" });
        return true;
      case "signal":
        if (request.isStop) this.#isStopped = true;
        if (request.isStopCommand === true) this.#isStopCommand = true;
        if (request.isRestart === true) this.#isRestart = true;
        this.#signal(request.signal);
        // A container that waits to be started again is stopped by not being started.
        if (this.#isBetweenRuns && request.isStop) this.#endLoop();
        return false;
      case "resize":
        this.#streams.resize(request);
        return false;
      case "close":
        this.#streams.closeIfUnread(request.stream);
        return false;
      case "wait":
        connection.waits = true;
        return false;
      case "status": {
        const { lost } = this.#streams;
        this.#answer(connection, { kind: "status", lostBytes: lost.bytes, lostErrno: lost.errno });
        return false;
      }
      case "network": {
        const [device] = descriptors;
        if (device === undefined || this.#networks === undefined) {
          this.#answer(connection, { kind: "served", error: "the container has ended" });
          return false;
        }
        const link = { ...request, membership: request.membership, device };
        this.#addNetwork(link, (answer) => this.#answerIfThere(connection, answer));
        return true;
      }
      case "leave":
        this.#networks?.remove(request.network);
        this.#answer(connection, { kind: "left" });
        return false;
      case "rename":
        this.#networks?.rename(request.network, request.names);
        return false;
      case "resolve":
        this.#networks?.resolve(request.network, request.resolvers);
        return false;
      case "flows": {
        const flows = this.#networks?.flows() ?? [];
        for (let first = 0; first < flows.length; first += FLOWS_PER_ANSWER) {
          this.#answer(connection, { kind: "flows", flows: flows.slice(first, first + FLOWS_PER_ANSWER) });
        }
        this.#answer(connection, { kind: "flows", flows: [] });
        return false;
      }
      case "keep":
        for (const descriptor of descriptors) this.#keep(descriptor);
        return true;
      case "recorded":
        this.#isRecorded = true;
        this.#stopWhenDone();
        return false;
      default:
        return false;
    }
  }

  #keep(terminal: FileDescriptor): void {
    setBlocking(terminal.number, false);
    new OutputCopier(this.#reactor, terminal, undefined, () => {});
  }

  #answer({ socket, answers }: Connection, answer: Answer): void {
    const text = JSON.stringify(answer);
    if (answers.length === 0 && sendMessage(socket.number, text) !== -Errno.EAGAIN) return;
    answers.push(text);
    this.#reactor.change(socket.number, Event.OUT);
  }

  #goOnAnswering({ socket, answers }: Connection): void {
    for (let text = answers[0]; text !== undefined; text = answers[0]) {
      // That somebody has gone is seen when he is listened to again.
      if (sendMessage(socket.number, text) === -Errno.EAGAIN) return;
      answers.shift();
    }
    this.#reactor.change(socket.number, Event.IN);
  }

  /** Answers whoever may have gone meanwhile. */
  #answerIfThere(connection: Connection, answer: Answer): void {
    if (this.#connections.has(connection)) this.#answer(connection, answer);
  }

  #answerCommand(answer: Answer): void {
    if (this.#isCommandThere) sendMessage(this.#command.number, JSON.stringify(answer));
  }

  #tellExit(connection: Connection, exitStatus: number): void {
    if (connection.waits) this.#answer(connection, { kind: "exit", ...this.#endAs(exitStatus) });
    connection.waits = false;
  }

  #endAs(exitStatus: number) {
    const { lost } = this.#streams;
    return {
      exitStatus,
      isStopped: this.#isStopped,
      isStopCommand: this.#isStopCommand,
      isRestart: this.#isRestart,
      isShutDown: this.#isShutDown,
      isOutOfMemory: this.#isOutOfMemory,
      lostBytes: lost.bytes,
      lostErrno: lost.errno,
    };
  }

  #signal(signal: number): void {
    if (this.#container === undefined) return;
    systemCall(SystemCall.pidfd_send_signal, this.#container.pidfd.number, signal, 0, 0);
  }

  /** Runs the loop until the container has ended and its output is logged. Returns its exit status. */
  async #superviseUntilEnd(supervise: Supervise): Promise<number> {
    using cleanup = new DisposableStack();
    const { pid, health } = supervise;
    const pidfd = cleanup.use(openProcess(pid));
    this.#container = { pid, pidfd };
    const command = this.#connect(this.#command, ownRequest);
    command.waits = true;
    cleanup.use(this.#stopOnSignals(supervise));
    if (supervise.runTimeout !== undefined) cleanup.use(this.#killAfter(supervise.runTimeout));
    if (health !== undefined) {
      const { HealthTimer } = await import("./health-timer.ts");
      cleanup.use(new HealthTimer(this.#reactor, health, this.#data, this.#id));
    }
    this.#reactor.add(pidfd.number, Event.IN, () => {
      this.#reactor.remove(pidfd.number);
      this.#end = waitForExit(pid);
      this.#container = undefined;
      this.#streams.finishOutputs();
      this.#stopWhenDone();
    });
    await this.#runLoop();
    const end = this.#end ?? waitForExit(pid);
    this.#streams.closeInput();
    this.#streams.endLog();
    return "exitCode" in end ? end.exitCode : 128 + end.signal;
  }

  /** As when the machine shuts down: what it does is the policy's business at the next start of the machine. */
  #stopOnSignals({ stopSignal, stopTimeout }: Supervise): Disposable {
    const stack = new DisposableStack();
    const signals = stack.use(new SignalDescriptor(STOPPING_SIGNALS));
    const patience = stack.use(new Timer());
    this.#reactor.add(signals.descriptor.number, Event.IN, () => {
      while (signals.next() !== undefined) {
        this.#isShutDown = true;
        this.#signal(stopSignal);
        if (stopTimeout >= 0) patience.start(stopTimeout * 1000 || 1);
      }
      if (this.#isBetweenRuns) this.#endLoop();
    });
    this.#reactor.add(patience.descriptor.number, Event.IN, () => {
      patience.acknowledge();
      this.#signal(Signal.SIGKILL);
    });
    stack.defer(() => {
      this.#reactor.remove(signals.descriptor.number);
      this.#reactor.remove(patience.descriptor.number);
    });
    return stack;
  }

  #killAfter(seconds: number): Disposable {
    const timer = new Timer();
    timer.start(seconds * 1000);
    this.#reactor.add(timer.descriptor.number, Event.IN, () => {
      timer.acknowledge();
      this.#signal(Signal.SIGKILL);
    });
    return {
      [Symbol.dispose]: () => {
        this.#reactor.remove(timer.descriptor.number);
        timer[Symbol.dispose]();
      },
    };
  }

  /** Ends the loop when what it was started for is done. */
  #stopWhenDone(): void {
    if (this.#end === undefined || !this.#streams.haveEnded) return;
    if (this.#isWaitingForCommand && this.#isCommandThere && !this.#isRecorded) return;
    if (this.#isEnding && this.#streams.areBusy) return;
    this.#endLoop();
  }

  /** Records the end. Returns whether the container is to be started again. */
  async #recordEnd(supervise: Supervise, exitStatus: number): Promise<boolean> {
    if (supervise.isRecordedByCommand && this.#isCommandThere) {
      this.#isWaitingForCommand = true;
      for (const connection of this.#connections) {
        if (connection.socket === this.#command) this.#tellExit(connection, exitStatus);
      }
      using _watch = this.#watchCommand();
      if (this.#isCommandThere) await this.#runLoop();
    }
    this.#isWaitingForCommand = false;
    this.#isEnding = true;
    if (this.#isRecorded) return false;
    const { recordEndFromSupervisor } = await import("../lifecycle/record-end.ts");
    return recordEndFromSupervisor(this.#data, { id: this.#id, pid: supervise.pid }, this.#endAs(exitStatus));
  }

  /** Has the loop looked after a command that does not record the end. */
  #watchCommand(): Disposable {
    const timer = new Timer();
    timer.start(COMMAND_PATIENCE, COMMAND_PATIENCE);
    this.#reactor.add(timer.descriptor.number, Event.IN, () => {
      timer.acknowledge();
      this.#isCommandLate = true;
      this.#reactor.stop();
    });
    return {
      [Symbol.dispose]: () => {
        this.#reactor.remove(timer.descriptor.number);
        timer[Symbol.dispose]();
      },
    };
  }

  /** Waits as long as the policy says, and starts the container again unless somebody stops it meanwhile. */
  async #startAgain(supervise: Supervise, listener: FileDescriptor): Promise<void> {
    const { nextRestartDelay } = await import("../lifecycle/restart-policy.ts");
    const delay = nextRestartDelay(supervise.restartDelay, performance.now());
    using timer = new Timer();
    timer.start(delay);
    this.#reactor.add(timer.descriptor.number, Event.IN, () => {
      this.#reactor.remove(timer.descriptor.number);
      this.#endLoop();
    });
    const signals = this.#stopOnSignals(supervise);
    this.#isBetweenRuns = true;
    await this.#runLoop();
    signals[Symbol.dispose]();
    this.#stopListening(listener);
    const { restartFromSupervisor } = await import("../lifecycle/start-container.ts");
    // They remain blocked, and wait to be read.
    using late = new SignalDescriptor(STOPPING_SIGNALS);
    if (late.next() !== undefined) this.#isShutDown = true;
    if (this.#isStopped || this.#isShutDown) {
      const { recordNoRestart } = await import("../lifecycle/record-end.ts");
      recordNoRestart(this.#data, this.#id, this.#isStopped, this.#isStopCommand);
      return this.#lock.release();
    }
    try {
      const successor = await restartFromSupervisor(this.#data, this.#id, this.#lock, delay);
      // Sent to the one of the two that was there then.
      const signal = late.next();
      if (signal !== undefined && successor !== undefined) process.kill(successor, signal);
    } catch (error) {
      // Before anybody else has the container in hand.
      await this.tellFailure(error);
      this.#lock.release();
    }
    // Its successor's alone from now on.
    this.#lock[Symbol.dispose]();
  }
}

/** Kills the container that nobody is going to look after: its command has died early, or its supervisor has failed. */
async function killChildren(): Promise<void> {
  const { readText } = await import("../../sys/named-file.ts");
  const pids = readText(`/proc/self/task/${process.pid}/children`).trim().split(" ");
  for (const pid of pids.filter((word) => word !== "")) process.kill(Number(pid), "SIGKILL");
}
