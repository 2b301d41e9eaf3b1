/* What questions to the host's resolvers have in common, over UDP (forwarder.ts) and over TCP (stream.ts). */
import type { Egress } from "../egress.ts";
import { HEADER_SIZE, readAnswer, readQuestion } from "./message.ts";

/** Milliseconds of silence after which the next resolver is asked, and after which a question is given up. */
export const PATIENCE = 1_500;
export const LIFETIME = 15_000;
/** Milliseconds between looks at that. */
export const TICK = 250;

const FLAG_RESPONSE = 0x80;
const FLAG_RECURSION_AVAILABLE = 0x80;
const SERVER_FAILURE = 2;
/** Codes with which a resolver says that another may know better: SERVFAIL, NOTIMP, REFUSED. */
const FAILURES: ReadonlySet<number> = new Set([SERVER_FAILURE, 4, 5]);

/** Where a message lies in a view. */
export interface Place {
  readonly start: number;
  readonly length: number;
}

/** Whether a message is long enough for one, and a question. */
export function isQuestion(view: DataView, { start, length }: Place): boolean {
  return length >= HEADER_SIZE && (view.getUint8(start + 2) & FLAG_RESPONSE) === 0;
}

/** Whether a message is long enough for one, and an answer to a question. */
export function isAnswerTo(view: DataView, question: Place, { start, length }: Place): boolean {
  return (
    length >= HEADER_SIZE &&
    view.getUint16(start) === view.getUint16(question.start) &&
    (view.getUint8(start + 2) & FLAG_RESPONSE) !== 0
  );
}

/** Whether an answer says that another resolver may know better. */
export function isFailure(view: DataView, { start }: Place): boolean {
  return FAILURES.has(view.getUint8(start + 3) & 0xf);
}

/** Makes a question its own answer: the server has failed. */
export function makeFailure(view: DataView, { start }: Place): void {
  view.setUint8(start + 2, view.getUint8(start + 2) | FLAG_RESPONSE);
  view.setUint8(start + 3, FLAG_RECURSION_AVAILABLE | SERVER_FAILURE);
}

/** Whether a question may be passed on. What is no ordinary question asks for nothing that is permitted. */
export function mayAsk(egress: Egress, view: DataView, { start, length }: Place): boolean {
  if (!egress.isRestricted) return true;
  const asked = readQuestion(view, start, length);
  return asked !== undefined && egress.permitsName(asked.name);
}

/** What was answered belongs to the name that was asked for, whatever the answer says that was. */
export function learn(egress: Egress, view: DataView, question: Place, answer: Place): void {
  const told = readAnswer(view, answer.start, answer.length);
  const asked = readQuestion(view, question.start, question.length);
  if (told !== undefined && told.name === asked?.name) egress.learn(told.name, told.addresses);
}
