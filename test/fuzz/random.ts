/** Random numbers that a seed determines: xorshift32 behind a mixing of the seed, so that neighbouring seeds have nothing in common. */
export class Random {
  #state: number;

  constructor(seed: number) {
    let s = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
    s = Math.imul(s ^ s >>> 13, 0xc2b2ae35);
    this.#state = (s ^ s >>> 16) | 1;
  }

  /** 0 ≤ result < limit */
  below(limit: number): number {
    let s = this.#state;
    s ^= s << 13; s ^= s >>> 17; s ^= s << 5;
    this.#state = s;
    return Math.floor((s >>> 0) / 2 ** 32 * limit);
  }

  /** true once in `n` times */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  i32(): number {
    return this.below(2 ** 16) << 16 | this.below(2 ** 16);
  }

  i64(): bigint {
    return BigInt.asIntN(64, BigInt(this.i32()) << 32n ^ BigInt(this.i32()));
  }
}
