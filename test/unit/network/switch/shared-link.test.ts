/* The switch between containers, with sockets that keep frames apart in the place of their devices. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STACK_HARDWARE_ADDRESS } from "../../../../src/network/ethernet.ts";
import { SharedLink } from "../../../../src/network/switch/shared-link.ts";
import { hardwareAddressOf } from "../../../../src/network/switch/station.ts";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { allocate } from "../../../../src/sys/memory.ts";
import { listenForMessages, messageSocketPair, receiveMessage } from "../../../../src/sys/message-socket.ts";
import { Event, Reactor, Timer } from "../../../../src/sys/reactor.ts";

let directory = "";
let reactor: Reactor;
let cleanup: DisposableStack;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-link-"));
  reactor = new Reactor();
  cleanup = new DisposableStack();
  cleanup.use(reactor);
});

afterEach(() => {
  cleanup.dispose();
  rmSync(directory, { recursive: true, force: true });
});

/** Lets everything that is to be done be done, until a condition holds. */
function until(condition: () => boolean): void {
  using timer = new Timer();
  timer.start(1, 1);
  reactor.add(timer.descriptor.number, Event.IN, () => {
    timer.acknowledge();
    if (condition()) reactor.stop();
  });
  reactor.run();
  reactor.remove(timer.descriptor.number);
}

interface Member {
  readonly link: SharedLink;
  /** Where the frames come out that others send to it. */
  readonly inner: FileDescriptor;
  readonly isReady: () => boolean;
}

function joinLink(id: string, last: number, run = "1"): Member {
  const [outer, inner] = messageSocketPair();
  cleanup.use(outer);
  cleanup.use(inner);
  let isReady = false;
  const station = {
    id,
    run,
    hardwareAddress: `02:42:00:00:00:0${last}`,
    addresses: [[0, 0, 0xffff, last] as const],
    names: [id],
  };
  const link = new SharedLink(reactor, {
    directory,
    device: outer.number,
    station,
    router: [],
    isSeparated: false,
    onReady: () => {
      isReady = true;
    },
  });
  return { link, inner, isReady: () => isReady };
}

const frame = allocate(64);

/** Sends a frame; whether it was for others only. */
function send({ link }: Member, destination: string, source: string, text: string): boolean {
  const put = (offset: number, address: string) => {
    const { high, low } = address === "stack" ? STACK_HARDWARE_ADDRESS : hardwareAddressOf(address);
    frame.view.setUint16(offset, high);
    frame.view.setUint32(offset + 2, low);
  };
  frame.buffer.fill(0);
  put(10, destination);
  put(16, source);
  frame.buffer.write(text, 24, "latin1");
  return link.forward(frame.view, 10, frame.address, 24 + text.length);
}

/** The texts of the frames that have come to a member. */
function arrived({ inner }: Member): string[] {
  const texts: string[] = [];
  for (;;) {
    const received = receiveMessage(inner.number, false);
    if (received.kind !== "message") return texts;
    texts.push(Buffer.from(received.text, "utf8").subarray(-1).toString());
  }
}

const ONE = "02:42:00:00:00:01";
const TWO = "02:42:00:00:00:02";

describe("stations on one link", () => {
  test("know each other when they are ready, whoever came first", () => {
    const members = ["a", "b", "c"].map((id, index) => joinLink(id, index + 1));
    until(() => members.every(({ isReady, link }) => isReady() && link.peers().length === 2));
    for (const { link } of members) cleanup.use(link);
    const late = joinLink("d", 4);
    cleanup.use(late.link);
    until(late.isReady);
    expect(
      late.link
        .peers()
        .map(({ names }) => names[0])
        .toSorted(),
    ).toEqual(["a", "b", "c"]);
  });

  test("get frames for themselves and for all, once each, and the stack its own", () => {
    const [one, two, three] = [joinLink("a", 1), joinLink("b", 2), joinLink("c", 3)];
    for (const { link } of [one, two, three]) cleanup.use(link);
    until(() => [one, two, three].every(({ link }) => link.peers().length === 2));
    expect(send(one, TWO, ONE, "1")).toBe(true);
    expect(send(one, "ff:ff:ff:ff:ff:ff", ONE, "2")).toBe(false);
    expect(send(one, "33:33:00:00:00:01", ONE, "3")).toBe(false);
    // Nobody has made that known.
    expect(send(one, "02:00:00:00:00:99", ONE, "4")).toBe(true);
    expect(send(one, "stack", ONE, "5")).toBe(false);
    // Nobody speaks for the stack.
    expect(send(one, TWO, "stack", "6")).toBe(true);
    expect(arrived(one)).toEqual([]);
    expect(arrived(two)).toEqual(["1", "2", "3", "4"]);
    expect(arrived(three)).toEqual(["2", "3", "4"]);
  });

  test("get TCP with the length of its headers, which the device it came from has left out", () => {
    const [one, two] = [joinLink("a", 1), joinLink("b", 2)];
    for (const { link } of [one, two]) cleanup.use(link);
    until(() => [one, two].every(({ link }) => link.peers().length === 1));
    const { buffer, view, address } = allocate(128);
    /** A frame whose checksum was left to the device, with `words` of TCP header behind Ethernet and IPv4. */
    const forwarded = (flags: number, field: number, words: number, length: number): number => {
      buffer.fill(0);
      view.setUint8(0, flags);
      view.setUint16(6, 34, true);
      view.setUint16(8, field, true);
      view.setUint8(10, 0x02);
      view.setUint8(11, 0x42);
      view.setUint8(15, 2);
      view.setUint8(10 + 34 + 12, words << 4);
      expect(one.link.forward(view, 10, address, length)).toBe(true);
      const received = receiveMessage(two.inner.number, false);
      if (received.kind !== "message") throw new Error(received.kind);
      return received.text.charCodeAt(2);
    };
    expect(forwarded(1, 16, 8, 128)).toBe(34 + 32);
    expect(forwarded(0, 16, 8, 128)).toBe(0);
    // UDP, whose headers end with the checksum.
    expect(forwarded(1, 6, 8, 128)).toBe(0);
    // Cut off before that byte.
    expect(forwarded(1, 16, 8, 10 + 34 + 12)).toBe(0);
  });

  test("may leave before they are ready", () => {
    const { link, isReady } = joinLink("a", 1);
    link[Symbol.dispose]();
    reactor.defer(() => reactor.stop());
    reactor.run();
    expect(isReady()).toBe(false);
  });

  test("are forgotten when they leave, and come again", () => {
    const one = joinLink("a", 1);
    cleanup.use(one.link);
    const two = joinLink("b", 2);
    until(() => one.link.peers().length === 1);
    two.link[Symbol.dispose]();
    until(() => one.link.peers().length === 0);
    expect(send(one, TWO, ONE, "1")).toBe(true);
    expect(readdirSync(directory)).toEqual(["a"]);
    const again = joinLink("b", 2, "2");
    cleanup.use(again.link);
    until(() => one.link.peers().length === 1 && again.isReady());
    send(one, TWO, ONE, "2");
    expect(arrived(again)).toEqual(["2"]);
    expect(arrived(two)).toEqual([]);
  });

  test("tell their new names", () => {
    const [one, two] = [joinLink("a", 1), joinLink("b", 2)];
    for (const { link } of [one, two]) cleanup.use(link);
    until(() => one.link.peers().length === 1 && two.link.peers().length === 1);
    two.link.rename(["new", "names"]);
    until(() => one.link.peers()[0]?.names[0] === "new");
    expect(one.link.peers()[0]?.names).toEqual(["new", "names"]);
  });

  test("are ready without those who do not answer, who were killed, or who talk nonsense", () => {
    // A socket that nobody listens at any more, a file that is none, and one that never answers.
    const opened = cleanup.use(new FileDescriptor(openSync(directory, "r")));
    listenForMessages(opened.number, "killed").close();
    writeFileSync(`${directory}/file`, "");
    cleanup.use(listenForMessages(opened.number, "silent"));
    const one = joinLink("a", 1);
    cleanup.use(one.link);
    until(one.isReady);
    expect(one.link.peers()).toEqual([]);
    // The container that was killed takes its socket's place.
    const killed = joinLink("killed", 2);
    cleanup.use(killed.link);
    until(() => one.link.peers().length === 1);
  });
});
