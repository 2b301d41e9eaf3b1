import { defineCommand } from "./command.ts";
/** x */
export const run = defineCommand(
  { options: {}, required: ["IMAGE"], optional: "[COMMAND] [ARG...]", stopAtFirstOperand: true },
  () => 0,
);
