/**
 * Turns whatever said no into something a person can act on.
 * The server answers `code: sentence`, several reasons in a row, and a detail in parentheses at the end.
 */
import { failures, refusals } from '../texts';

/** One thing that went wrong, ready to be shown. */
export interface Problem {
  /** Stable code; the server's, or one of this page's own (`texts.failures`). */
  code: string;
  title: string;
  /** What happened, in the server's words where it spoke. */
  sentence: string;
  /** What helps; empty when nobody knows. */
  remedy: string;
  /** Which value was wrong, or the raw text of an unknown failure; may be empty. */
  detail: string;
}

export interface Reason {
  code: string;
  sentence: string;
}

/** Longest text of a server that is shown, characters. */
const TEXT_MAX = 1000;
/** A code stands at the start or after the end of a sentence. */
const CODE = /(?:^|(?<=[.!?]\s))([a-z][a-z0-9]*(?:_[a-z0-9]+)*): /g;

/** Splits a refusal's text into its reasons and detail; null when it is not of that form. */
export function splitRefusal(text: string): { reasons: Reason[]; detail: string } | null {
  let body = text.trim().slice(0, TEXT_MAX);
  let detail = '';
  const tail = /^([\s\S]*[.!?])\s\(([\s\S]*)\)$/.exec(body);
  if (tail) {
    body = tail[1] as string;
    detail = tail[2] as string;
  }
  const marks = [...body.matchAll(CODE)];
  if (marks[0]?.index !== 0) return null;
  const reasons = marks.map((mark, i) => ({
    code: mark[1] as string,
    sentence: body.slice(mark.index + mark[0].length, marks[i + 1]?.index).trim(),
  }));
  return { reasons, detail };
}

/** The problem that a refusal's text tells of; null when the text is something else. */
export function problemFromText(text: string): Problem | null {
  const split = splitRefusal(text);
  const first = split?.reasons[0];
  if (!split || !first) return null;
  const known = refusals[first.code];
  return {
    code: first.code,
    title: known?.title ?? failures.unknown?.title ?? '',
    sentence: split.reasons.map((r) => r.sentence).join(' '),
    remedy: known?.remedy ?? '',
    detail: split.detail,
  };
}

/** The same for a JSON answer: `{code, message}` or `{reasons: [{code, message}], detail}`. */
export function problemFromJson(value: unknown): Problem | null {
  if (typeof value !== 'object' || value === null) return null;
  const body = value as Record<string, unknown>;
  const listed = Array.isArray(body.reasons) ? body.reasons : [body.error ?? body];
  const parts = listed.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { code, message, sentence } = entry as Record<string, unknown>;
    const said = sentence ?? message;
    return typeof code === 'string' && typeof said === 'string' ? [`${code}: ${said}`] : [];
  });
  if (parts.length === 0) return null;
  const detail = typeof body.detail === 'string' && body.detail ? ` (${body.detail})` : '';
  return problemFromText(parts.join(' ') + detail);
}

/** One of this page's own failures. */
export function failure(code: keyof typeof failures & string, detail = ''): Problem {
  const text = failures[code] ?? failures.unknown;
  return { code, title: '', sentence: '', remedy: '', ...text, detail: detail.slice(0, TEXT_MAX) };
}

/** Thrown where a token is fetched; carries what to show. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.sentence}`);
  }
}
