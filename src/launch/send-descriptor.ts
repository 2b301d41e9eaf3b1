import { CONTROL_DESCRIPTOR_OFFSET, descriptorControlBytes, messageHeaderBytes, vectorBytes } from "../sys/socket.ts";
import type { OperationDescription } from "./failure.ts";
import type { Slot } from "./operation.ts";
import type { LaunchProgram } from "./program.ts";

/** Makes the program send a descriptor, with one byte of data, over a connected unix socket; `receiveDescriptor` takes it. */
export function sendDescriptor(
  program: LaunchProgram,
  socket: number,
  descriptor: Slot,
  what: OperationDescription,
): void {
  const payload = program.text("d");
  const control = program.reserve(descriptorControlBytes([0]).length);
  descriptorControlBytes([0]).copy(control.buffer);
  program.store32(descriptor, control.address + CONTROL_DESCRIPTOR_OFFSET);
  const header = messageHeaderBytes({
    vector: program.bytes(vectorBytes(payload, 1)),
    control: control.address,
    controlLength: control.buffer.length,
  });
  program.call("sendmsg", [socket, program.bytes(header), 0], what);
}
