import { expect, test } from "bun:test";
import { fstatSync } from "node:fs";
import { Errno } from "../../../src/sys/errno.ts";
import { messageSocketPair, receiveMessage, sendMessage } from "../../../src/sys/message-socket.ts";
import { pipe } from "../../../src/sys/socket.ts";

const textOf = (socket: number, wait: boolean) => {
  const received = receiveMessage(socket, wait);
  return received.kind === "message" ? received.text : received.kind;
};

test("what was said is heard to its end, also of somebody who has not heard everything before leaving", () => {
  for (const wait of [true, false]) {
    const [ours, theirs] = messageSocketPair();
    sendMessage(theirs.number, "one");
    sendMessage(theirs.number, "two");
    sendMessage(ours.number, "never read");
    theirs.close();
    expect(["one", "two", "end", "end"].map(() => textOf(ours.number, wait))).toEqual(["one", "two", "end", "end"]);
    ours.close();
  }
});

test("nothing has come yet, and nobody is there to hear", () => {
  const [ours, theirs] = messageSocketPair();
  expect(textOf(ours.number, false)).toBe("nothing");
  theirs.close();
  expect(sendMessage(ours.number, "hello")).toBeLessThan(0);
  ours.close();
});

test("a text that is too long is not sent in part", () => {
  const [ours, theirs] = messageSocketPair();
  const longest = "é".repeat(32_768);
  expect(sendMessage(ours.number, `${longest}x`)).toBe(-Errno.EMSGSIZE);
  expect(sendMessage(ours.number, longest)).toBe(0);
  expect(textOf(theirs.number, false)).toBe(longest);
  ours.close();
  theirs.close();
});

test("a message brings as many descriptors as were sent with it, whatever came before", () => {
  using stack = new DisposableStack();
  const [sender, receiver] = messageSocketPair();
  stack.use(sender);
  stack.use(receiver);
  const ends = [...pipe(), ...pipe()].map((end) => stack.use(end));
  for (const count of [4, 1, 3, 2, 0, 1]) {
    const sent = ends.slice(0, count);
    expect(
      sendMessage(
        sender.number,
        `${count}`,
        sent.map((end) => end.number),
      ),
    ).toBe(0);
    const received = receiveMessage(receiver.number, true);
    if (received.kind !== "message") throw new Error(received.kind);
    expect(received.text).toBe(`${count}`);
    for (const descriptor of received.descriptors) stack.use(descriptor);
    const inodes = (list: readonly { readonly number: number }[]) => list.map(({ number }) => fstatSync(number).ino);
    expect(inodes(received.descriptors)).toEqual(inodes(sent));
    expect(received.descriptors.map(({ number }) => number)).not.toContain(0);
  }
});
