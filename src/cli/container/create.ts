import { parseImageSource } from "../../image/image-source.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { creationCallbacks, idFileWriter, runOptionsOf } from "../run.ts";
import { runOptionsTable } from "../run-options-table.ts";
import { parseRootfs } from "../values/rootfs-operand.ts";

/** `bunker create`. */
export const create = defineCommand(
  {
    options: runOptionsTable,
    isBrief: true,
    leave: leaveMemory,
    required: ["IMAGE"],
    optional: "[COMMAND] [ARG...]",
    stopAtFirstOperand: true,
  },
  async ({ options, operands: [operand, ...command] }) => {
    const image = options.rootfs ? parseRootfs(operand) : parseImageSource(operand);
    const request = await runOptionsOf(options, image, command);
    const onCreated = await idFileWriter(options.idFile);
    const { createOnly } = await import("../../engine/run.ts");
    const id = await createOnly(request, await creationCallbacks());
    onCreated(id);
    print(id);
    return 0;
  },
);
