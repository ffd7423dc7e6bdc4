/**
 * "Did you mean": the names closest to a mistyped one.
 */

/** Up to `most` candidates within a third of the name's length in edits, nearest first; those that contain the name come with them. */
export function nearest(name: string, candidates: Iterable<string>, most = 3): string[] {
  const limit = Math.ceil(name.length / 3);
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of candidates) {
    const edits = distance(name, candidate, limit);
    if (edits <= limit) scored.push({ candidate, score: edits });
    else if (name.length > 2 && candidate.includes(name)) scored.push({ candidate, score: limit + candidate.length });
  }
  return scored.sort((a, b) => a.score - b.score || (a.candidate < b.candidate ? -1 : 1)).slice(0, most).map((each) => each.candidate);
}

/** Edit distance, or more than `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/** `did you mean "x" or "y"?`, or '' */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const names = nearest(name, candidates).map((each) => `"${each}"`);
  return names.length === 0 ? '' : `did you mean ${names.join(' or ')}?`;
}
