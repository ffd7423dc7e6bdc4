/**
 * The cost of the kernel room itself: a call of bpf(2), an element of a map, a record of a ring buffer. Each against its floor:
 * the bare system call through the same binding, and a loop written by hand over the same mapping. Needs root.
 */
import { mapDeleteElem, progLoad, progTestRun } from '#src/kernel/bpf.js';
import { SYS, syscall } from '#src/kernel/ffi/syscall.js';
import { BpfMap } from '#src/kernel/map.js';
import { arena } from '#src/kernel/memory.js';
import { RingBuffer } from '#src/kernel/ring-buffer.js';
import { MapType, ProgType } from '#src/uapi.js';
import { EXIT, Helper, asm, helper, mapFd, mov, movReg, add, storeImm64 } from '../test/support/bpf-asm.js';
import { interleave, type BenchOptions, type Report, type Sample } from './harness.js';

const RING = 1 << 24;
const SIZE = 64;
/** header of 8 bytes and the record */
const STEP = SIZE + 8;
const RECORDS = Math.floor(RING / STEP) - 1;
const ENTRIES = 4096;

const timed = (count: number, body: () => void): number => {
  const start = process.hrtime.bigint();
  body();
  return Number(process.hrtime.bigint() - start) / count;
};

export async function run({ quick, note }: BenchOptions): Promise<Report> {
  const array = BpfMap.create({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: ENTRIES, name: 'array' });
  const hash = BpfMap.create({ type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: ENTRIES, name: 'hash' });
  const ringMap = BpfMap.create({ type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: RING, name: 'ring' });
  const stores = Array.from({ length: SIZE / 8 }, (_, i) => storeImm64(10, -SIZE + i * 8, i + 1));
  const fill = progLoad({
    type: ProgType.SOCKET_FILTER, license: 'GPL', name: 'fill',
    insns: asm(stores, mapFd(1, ringMap.fd.value), movReg(2, 10), add(2, -SIZE), mov(3, SIZE), mov(4, 0), helper(Helper.ringbuf_output), mov(0, 0), EXIT),
  });
  const ring = new RingBuffer(ringMap);
  const refill = () => progTestRun({ progFd: fill.value, dataIn: new Uint8Array(64), repeat: RECORDS });
  const calls = quick ? 5_000 : 50_000;
  const key = new Uint8Array(4);
  const value = new Uint8Array(8);
  const words = new Int32Array(ring.data.buffer, ring.data.byteOffset, ring.data.length / 4);
  let sink = 0;

  const bare = (cmd: number) => {
    const address = arena().address;
    return timed(calls, () => { for (let i = 0; i < calls; i++) syscall(SYS.bpf, cmd, address, 0); });
  };
  const kernel = (): Sample => {
    const sample: Record<string, number> = {};
    sample['call: lookup in an array'] = timed(calls, () => { for (let i = 0; i < calls; i++) array.lookup(key, value); });
    sample['call: update of a hash'] = timed(calls, () => { for (let i = 0; i < calls; i++) hash.update(key, value); });
    sample['call: delete that finds nothing'] = timed(calls, () => { for (let i = 0; i < calls; i++) mapDeleteElem(hash.fd.value, Uint8Array.of(9, 9, 9, 9)); });
    refill();
    sample['ring: a record, size and place'] = timed(RECORDS, () => { while (ring.next()) sink += ring.size; });
    refill();
    sample['ring: a record, two fields read'] = timed(RECORDS, () => {
      while (ring.next()) {
        const at = ring.offset >>> 2;
        sink = sink + words[at] + words[at + 2] | 0;
      }
    });
    return sample;
  };
  /** A loop that knows every record's size and that nothing is discarded. */
  const floor = (): Sample => {
    const call = bare(999);
    const sample: Record<string, number> = { 'call: lookup in an array': call, 'call: update of a hash': call, 'call: delete that finds nothing': call };
    const mask = RING - 1;
    for (const fields of [false, true]) {
      refill();
      ring.next();
      let at = ring.offset - 8;
      const ns = timed(RECORDS, () => {
        for (let i = 0; i < RECORDS; i++) {
          const header = words[at >>> 2];
          if (header < 0) break;
          if (fields) sink = sink + words[(at >>> 2) + 2] + words[(at >>> 2) + 4] | 0;
          else sink += header & 0x3fff_ffff;
          at = at + ((header & 0x3fff_ffff) + 15 & ~7) & mask;
        }
      });
      sample[fields ? 'ring: a record, two fields read' : 'ring: a record, size and place'] = ns;
      while (ring.next());
    }
    return sample;
  };

  try {
    note(`${calls} calls and ${RECORDS} records of ${SIZE} bytes a round`);
    const rows = await interleave({ kernel, floor }, { rounds: quick ? 5 : 21, warmup: 3, unit: 'ns' });
    const keys = new Uint8Array(Uint32Array.from({ length: ENTRIES }, (_, i) => i).buffer);
    const values = new Uint8Array(ENTRIES * 8);
    const update = timed(ENTRIES, () => hash.updateBatch(keys, values));
    let seen = 0;
    const walk = timed(ENTRIES, () => { for (const { key: each } of hash.entries()) seen += each[0]; });
    if (!Number.isFinite(sink + seen)) throw new Error('bug: nothing was read');
    return {
      title: 'the kernel room', sides: ['kernel', 'floor'], rows,
      notes: [
        'floor of the calls: bpf(2) with an unknown command through the same binding; of the ring: a loop over the mapping that knows what is in it.',
        `BPF_MAP_UPDATE_BATCH of ${ENTRIES} elements, first time: ${update.toFixed(0)} ns an element; entries() of the same map: ${walk.toFixed(0)} ns an element.`,
      ],
    };
  } finally {
    ring.close();
    fill.close();
    for (const map of [array, hash, ringMap]) map.close();
  }
}
