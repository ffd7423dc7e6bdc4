/** Seeded mutations of what the kernel tells: no answer may crash a reader, whatever it says. */
import { parseCpuList } from '#src/kernel/cpus.js';
import { findAddresses, symbols } from '#src/kernel/kallsyms.js';
import { parseKconfig } from '#src/kernel/kconfig.js';
import { nearest } from '#src/kernel/near.js';
import { parseAttributes } from '#src/kernel/netlink.js';
import { codeFrom } from '#src/kernel/release.js';
import { ProjectError } from '#src/errors.js';
import { assert, suite } from '../support/suite.js';

const ROUNDS = 3000;

/** xorshift32 */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (let n = 1 + random(4); n > 0 && out.length > 0; n--) {
    const at = random(out.length);
    switch (random(4)) {
      case 0: out[at] = random(256); break;
      case 1: out[at] ^= 1 << random(8); break;
      case 2: out = out.slice(0, at); break;
      default: out = Uint8Array.from([...out.slice(0, at), ...out.slice(random(out.length))]);
    }
  }
  return out;
}

const text = (value: string) => Buffer.from(value, 'latin1');
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

suite('kernel fuzz', (test) => {
  test.table([
    { name: 'parseCpuList', seed: text('0-3,8,10-11\n'), run: (bytes: Uint8Array) => parseCpuList(latin1(bytes)) },
    { name: 'parseAttributes', seed: Uint8Array.of(8, 0, 1, 0, 1, 2, 3, 4, 6, 0, 43, 0x80, 5, 0, 0, 0, 12, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8), run: parseAttributes },
    { name: 'parseKconfig', seed: text('# x\nCONFIG_A=y\nCONFIG_B="text"\nCONFIG_HZ=250\n'), run: (bytes: Uint8Array) => parseKconfig(latin1(bytes)) },
    { name: 'findAddresses', seed: text('ffffffff81000000 T _stext\nffffffff81000010 t helper\t[mod]\n'), run: (bytes: Uint8Array) => findAddresses(Buffer.from(bytes), ['_stext', 'helper']) },
    { name: 'symbols', seed: text('ffffffff81000000 T _stext\nffffffff81000010 t helper\t[mod]\n'), run: (bytes: Uint8Array) => [...symbols(Buffer.from(bytes))] },
    { name: 'codeFrom', seed: text('5.10.0-19-amd64'), run: (bytes: Uint8Array) => codeFrom({ release: latin1(bytes), version: latin1(bytes) }, latin1(bytes)) },
    { name: 'nearest', seed: text('sched_switch'), run: (bytes: Uint8Array) => nearest(latin1(bytes), ['sched_switch', 'sched_wakeup', '']) },
  ], ({ name }) => `${name} answers ${ROUNDS} mutations with a value or an error of its own`, ({ seed, run }) => {
    const random = generator(0x5eed);
    let answered = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const input = mutate(seed, random);
      try {
        run(input);
        answered++;
      } catch (error) {
        if (!(error instanceof ProjectError)) throw new Error(`input ${Buffer.from(input).toString('hex')}`, { cause: error });
      }
    }
    assert.ok(answered > 0);
  });
});
