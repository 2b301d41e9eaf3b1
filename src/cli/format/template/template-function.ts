import type { Value } from "./value.ts";

/** What a parameter takes; `any` is whatever there is. */
export type ParameterType = "any" | "string" | "int" | "[]string";

/**
 * A function that templates can call. The evaluation checks number and types of the arguments by its signature, so that
 * `call` can rely on them; what else is wrong with them it throws as a plain `Error`, of which the evaluation makes
 * `error calling NAME: …`.
 */
interface TemplateFunction {
  readonly parameters: readonly ParameterType[];
  /** The type of any number of further arguments. */
  readonly rest?: ParameterType;
  /** Takes what the signature says, which its caller has checked: a type cannot say it, so here it takes nothing. */
  readonly call: (...parameters: never[]) => Value;
}

/** Functions by name. */
export type TemplateFunctions = Readonly<Record<string, TemplateFunction>>;
