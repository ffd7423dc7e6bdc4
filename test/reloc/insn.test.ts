import { Insns } from '#src/reloc/insn.js';
import { assert, suite } from '../support/suite.js';

suite('reloc/insn', (test) => {
  test('Insns reads every field, signed where it is signed', () => {
    // r1 = map value; call -1; *(r10 - 8) = r1
    const insns = new Insns(Uint8Array.of(0x18, 0x21, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0));
    assert.is(insns.length, 4);
    assert.equal([insns.code(0), insns.dst(0), insns.src(0), insns.imm(0)], [0x18, 1, 2, 7]);
    assert.is(insns.imm64(0), 0xffffffff_00000007n);
    assert.equal([insns.isLdImm64(0), insns.isLdImm64(2), insns.isSubprogCall(2), insns.isFuncAddress(0)], [true, false, true, false]);
    assert.equal([insns.dst(3), insns.src(3), insns.off(3)], [10, 1, -8]);
  });
  test('Insns patches in place and leaves the neighbours alone', () => {
    const bytes = new Uint8Array(24).fill(0xaa);
    const insns = new Insns(bytes.subarray(8));
    insns.setCode(0, 0x18);
    insns.setDst(0, 3);
    insns.setSrc(0, 4);
    insns.setOff(0, -2);
    insns.setImm64(0, 0x1_8000_0000n);
    assert.is(Buffer.from(bytes).toString('hex'), 'aaaaaaaaaaaaaaaa' + '1843feff00000080' + 'aaaaaaaa01000000');
    assert.is(insns.isFuncAddress(0), true);
    insns.setImm(0, 2 ** 32 - 1);
    assert.is(insns.imm(0), -1);
  });
  test('Insns.isLdImm64 wants the second slot', () => {
    assert.is(new Insns(Uint8Array.of(0x18, 0, 0, 0, 0, 0, 0, 0)).isLdImm64(0), false);
  });
});
