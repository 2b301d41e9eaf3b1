/** A unix socket that waits for one peer and takes a message with a descriptor, as consoles and seccomp agents do. */
import { readSync } from "node:fs";
import { Errno } from "../src/sys/errno.ts";
import { FileDescriptor } from "../src/sys/file-descriptor.ts";
import { allocate } from "../src/sys/memory.ts";
import {
  CONTROL_DESCRIPTOR_OFFSET,
  descriptorControlBytes,
  messageHeaderBytes,
  vectorBytes,
} from "../src/sys/socket.ts";
import { check, SystemCall, systemCall } from "../src/sys/system-call.ts";
import { eventually } from "./unprivileged-user.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

/** A listening socket. */
export class UnixListener implements Disposable {
  readonly #socket = new FileDescriptor(
    check(systemCall(SystemCall.socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "make a socket"),
  );

  constructor(path: string) {
    const address = allocate(110);
    address.view.setUint16(0, AF_UNIX, true);
    address.buffer.write(path, 2, "utf8");
    check(systemCall(SystemCall.bind, this.#socket.number, address.address, 2 + path.length + 1), "bind", path);
    check(systemCall(SystemCall.listen, this.#socket.number, 1), "listen");
  }

  /** Waits for a peer and for all that it sends until it closes. */
  async receive(): Promise<{ readonly text: string; readonly descriptor: FileDescriptor }> {
    let accepted = -Errno.EAGAIN;
    await eventually(
      () => {
        accepted = systemCall(SystemCall.accept4, this.#socket.number, 0, 0, SOCK_CLOEXEC);
        return accepted !== -Errno.EAGAIN;
      },
      () => "a peer to connect",
    );
    using peer = new FileDescriptor(check(accepted, "accept"));
    const place = (bytes: Buffer) => {
      const memory = allocate(bytes.length);
      bytes.copy(memory.buffer);
      return memory;
    };
    const payload = allocate(4096);
    const vector = place(vectorBytes(payload.address, payload.buffer.length));
    const control = place(descriptorControlBytes([-1]));
    const header = place(
      messageHeaderBytes({ vector: vector.address, control: control.address, controlLength: control.buffer.length }),
    );
    const first = check(systemCall(SystemCall.recvmsg, peer.number, header.address, 0x40000000), "receive");
    const buffer = Buffer.alloc(4096);
    const second = readSync(peer.number, buffer);
    return {
      text: payload.buffer.toString("utf8", 0, first) + buffer.toString("utf8", 0, second),
      descriptor: new FileDescriptor(control.view.getInt32(CONTROL_DESCRIPTOR_OFFSET, true)),
    };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
