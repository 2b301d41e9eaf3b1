import { defineCommand } from "./command.ts";

/** `bunker unshare`. */
export const unshare = defineCommand(
  { options: {}, required: [], optional: "[COMMAND] [ARG...]", stopAtFirstOperand: true },
  async ({ operands }) => {
    const { unshare } = await import("../engine/unshare.ts");
    const { warning } = await import("./messages.ts");
    return unshare(operands, warning);
  },
);
