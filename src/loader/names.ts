/** Near misses: which of many known names the writer of a wrong one may have meant. */

/** Optimal string alignment distance, given up (Infinity) beyond `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2] + 1);
      row.push(best);
      least = Math.min(least, best);
    }
    if (least > limit) return Infinity;
    before = last;
    last = row;
  }
  return last[b.length];
}

/**
 * At most `count` of `known`, nearest first; those that hold `wanted` as a part count as near.
 * Looks at every name once, so it is for messages only.
 */
export function nearNames(wanted: string, known: Iterable<string>, count = 3): string[] {
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  const found: { name: string; rank: number }[] = [];
  for (const name of known) {
    if (name === wanted) continue;
    let rank = distance(wanted, name, limit);
    if (rank === Infinity && wanted.length >= 4 && name.includes(wanted)) rank = limit + 1 + (name.length - wanted.length) / 64;
    if (rank !== Infinity) found.push({ name, rank });
  }
  return found.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1)).slice(0, count).map(({ name }) => name);
}

/** `did you mean "a" or "b"?`, or '' where nothing is near. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const near = nearNames(wanted, known);
  return near.length === 0 ? '' : `did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
}
