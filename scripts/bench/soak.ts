/*
 * A soak of the network stack: for so many minutes, and at least once, 10 GB are sent through it and hashed at both ends,
 * 10 000 connections are opened and closed, and datagrams go back and forth. A wrong byte, a connection that fails, or a
 * stack that ends is an error; memory and descriptors of the stack are told as they were after the first time and the last.
 * The sockets of the datagrams stay for three minutes after the last one, so one to three of them are there, and are told
 * apart; of others there may be no more than there were.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { table } from "./measure.ts";
import { background, openNetwork, privateMemory, run } from "./network-namespace.ts";
import type { Workplace } from "./workplace.ts";

const PORT = 15_204;
const BYTES = 10_000_000_000;
const CONNECTIONS = 10_000;
const DATAGRAMS = 10_000;

/** Answers each connection with the hash of what came, and each datagram with itself. */
const SERVE = `
import hashlib, socket, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", ${PORT}))
def echo():
    while True:
        data, client = udp.recvfrom(65536)
        udp.sendto(data, client)
threading.Thread(target=echo, daemon=True).start()
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", ${PORT}))
l.listen(4096)
def serve(s):
    digest = hashlib.sha256()
    while True:
        data = s.recv(1 << 20)
        if not data: break
        digest.update(data)
    s.sendall(digest.digest())
    s.close()
print("ready", flush=True)
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()`;

const WORK = `
import hashlib, os, socket, sys
host = sys.argv[1]
def hashed(total):
    s = socket.create_connection((host, ${PORT}), timeout=60)
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    while total > 0:
        part = block[:total]
        s.sendall(part)
        digest.update(part)
        total -= len(part)
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while len(answer) < 32:
        data = s.recv(32)
        if not data: break
        answer += data
    s.close()
    if answer != digest.digest(): sys.exit("a hash is another than it was")
hashed(${BYTES})
for _ in range(${CONNECTIONS}): hashed(100)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(60)
udp.connect((host, ${PORT}))
for size in range(${DATAGRAMS}):
    data = os.urandom(size % 1400)
    udp.send(data)
    if udp.recv(65536) != data: sys.exit("a datagram is another than it was")`;

/** How many descriptors a process has that are sockets for datagrams, and that are not. */
function descriptors(pid: number): { readonly datagrams: number; readonly others: number } {
  // The tenth word of each line is a socket's inode; proc_pid_net(5).
  const lines = ["udp", "udp6"].flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, "utf8").split("\n"));
  const sockets = new Set(lines.map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`));
  const targets = readdirSync(`/proc/${pid}/fd`).map((number) => readlinkSync(`/proc/${pid}/fd/${number}`));
  const datagrams = targets.filter((target) => sockets.has(target)).length;
  return { datagrams, others: targets.length - datagrams };
}

/** Works for so many minutes. */
export async function soak(workplace: Workplace, minutes: number): Promise<string> {
  await using cleanup = new AsyncDisposableStack();
  await background(cleanup, ["python3", "-c", SERVE]);
  const { inside, host, pid } = await openNetwork(cleanup, workplace, "bunker");
  if (pid === undefined) throw new Error("the stack is a process");
  const end = performance.now() + minutes * 60_000;
  const seen: { readonly memory: number; readonly datagrams: number; readonly others: number }[] = [];
  do {
    run(inside(["python3", "-c", WORK, host]));
    seen.push({ memory: privateMemory(pid), ...descriptors(pid) });
  } while (performance.now() < end);
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined) throw new Error("nothing was done");
  if (last.others > first.others) throw new Error(`${last.others} descriptors, where ${first.others} were at first`);
  const rows = [first, last].map(({ memory, datagrams, others }, index) => [
    index === 0 ? "the first time" : `the last time, of ${seen.length}`,
    memory.toFixed(1),
    String(others),
    String(datagrams),
  ]);
  return table(["after", "memory of its own, MB", "descriptors", "and sockets of datagrams"], rows);
}
