import { expect, test } from "bun:test";
import { messageSocketPair, receiveMessage, sendMessage } from "../../../src/sys/message-socket.ts";

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
