/*
 * What a template says, as the parser hands it to the evaluation. Each part knows its position in the source, and can
 * be written again in Go's normal form, because Go's error messages quote it: `executing "" at <.Nmae>`.
 */
import type { Value } from "./value.ts";

/** `.`, `.A.B`, `$x.A`, `(pipeline).A`, a function's name, or a constant. */
export type Operand =
  | { readonly kind: "dot"; readonly position: number }
  | { readonly kind: "nil"; readonly position: number }
  | { readonly kind: "field"; readonly position: number; readonly fields: readonly string[] }
  | { readonly kind: "variable"; readonly position: number; readonly name: string; readonly fields: readonly string[] }
  | { readonly kind: "chain"; readonly position: number; readonly base: Operand; readonly fields: readonly string[] }
  | { readonly kind: "function"; readonly position: number; readonly name: string }
  | { readonly kind: "constant"; readonly position: number; readonly text: string; readonly value: Value }
  | { readonly kind: "pipeline"; readonly position: number; readonly pipeline: Pipeline };

/** A first operand, and arguments if it takes any. */
export interface Command {
  readonly position: number;
  readonly operands: readonly [Operand, ...Operand[]];
}

/** Commands, each of which gets the result of the one before as its last argument; perhaps assigned to variables. */
export interface Pipeline {
  readonly position: number;
  readonly variables: readonly string[];
  /** Whether the variables exist already (`=`), or are declared here (`:=`). */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** What prints nothing by itself but decides what is printed. */
export interface Control {
  readonly kind: "if" | "range" | "with";
  readonly position: number;
  readonly pipeline: Pipeline;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

/** One piece of a template. */
export type Statement =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly position: number; readonly pipeline: Pipeline }
  | { readonly kind: "break" | "continue" }
  | { readonly kind: "call"; readonly position: number; readonly name: string; readonly pipeline: Pipeline | undefined }
  | Control;

/** A template, with those that it defines by their names. */
export interface TemplateTree {
  readonly source: string;
  readonly body: readonly Statement[];
  readonly definitions: ReadonlyMap<string, readonly Statement[]>;
}

/** An operand in Go's normal form. */
export function writeOperand(operand: Operand): string {
  switch (operand.kind) {
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "field":
      return fieldPath(operand.fields);
    case "variable":
      return operand.name + fieldPath(operand.fields);
    case "chain":
      return writeOperand(operand.base) + fieldPath(operand.fields);
    case "function":
      return operand.name;
    case "constant":
      return operand.text;
    case "pipeline":
      return `(${writePipeline(operand.pipeline)})`;
  }
}

function fieldPath(fields: readonly string[]): string {
  return fields.map((field) => `.${field}`).join("");
}

/** A command in Go's normal form. */
export function writeCommand(command: Command): string {
  return command.operands.map(writeOperand).join(" ");
}

/** A pipeline in Go's normal form. */
export function writePipeline({ variables, assigns, commands }: Pipeline): string {
  const target = variables.length === 0 ? "" : `${variables.join(", ")} ${assigns ? "=" : ":="} `;
  return target + commands.map(writeCommand).join(" | ");
}
