/** Logs with their source: lines put in from BTF.ext, calls of helpers that do not exist replaced; hostile records do no harm. */
import { annotateLog, findUnknownCall, replaceUnknownCall, SourceLines } from '#src/loader/verifier-source.js';
import { parseBtf } from '#src/reloc/btf.js';
import type { LineInfo } from '#src/reloc/spec.js';
import { BtfBuilder, random } from '../support/btf.js';
import { assert, suite } from '../support/suite.js';

const builder = new BtfBuilder();
const FILE = builder.string('./src/probe.bpf.c');
const HEADER = builder.string('helpers.h');
const [FIRST, SECOND, INLINED] = ['  int x = 1;', '\treturn *p;', 'static inline int f(void)'].map((text) => builder.string(text));
const btf = parseBtf(builder.build(), { source: 'test' });
const line = (insn: number, lineOff: number, number: number, fileNameOff = FILE): LineInfo => ({ insn, fileNameOff, lineOff, lineCol: number << 10 | 7 });
const LINES = [line(0, FIRST!, 12), line(2, INLINED!, 3, HEADER), line(3, SECOND!, 13)];
const source = () => new SourceLines(LINES, btf);

const BARE = `func#0 @0
0: R1=ctx(off=0,imm=0) R10=fp0
0: (b7) r1 = 1
1: (05) goto pc+0
2: (b7) r2 = 2
3: (79) r0 = *(u64 *)(r1 +0)
R1 invalid mem access 'scalar'
processed 4 insns (limit 1000000)
`;
const ANNOTATED = `func#0 @0
0: R1=ctx(off=0,imm=0) R10=fp0
; int x = 1; @ probe.bpf.c:12
0: (b7) r1 = 1
1: (05) goto pc+0
; static inline int f(void) @ helpers.h:3
2: (b7) r2 = 2
; return *p; @ probe.bpf.c:13
3: (79) r0 = *(u64 *)(r1 +0)
R1 invalid mem access 'scalar'
processed 4 insns (limit 1000000)
`;
const UNKNOWN = `; int x = 1; @ probe.bpf.c:12
1: (85) call unknown#195896080
invalid func unknown#195896080
processed 2 insns
`;

suite('loader/verifier-source', (test) => {
  test('annotateLog puts the source in, once for each stretch of it', () => {
    assert.is(annotateLog(BARE, source()), ANNOTATED);
  });
  test('annotateLog replaces the lines of a kernel that names no file, and is done with one that does', () => {
    assert.is(annotateLog(ANNOTATED.replace(/ @ .*$/gm, ''), source()), ANNOTATED);
    assert.is(annotateLog(ANNOTATED, source()), ANNOTATED);
  });
  test('annotateLog leaves a log alone where there is no source', () => {
    assert.is(annotateLog(ANNOTATED, new SourceLines([], btf)), ANNOTATED);
    assert.is(annotateLog(ANNOTATED, new SourceLines(LINES, undefined)), ANNOTATED);
    assert.is(annotateLog('', source()), '');
    assert.is(annotateLog('; last words', source()), '; last words');
  });
  test.table([
    [0, 'int x = 1; @ probe.bpf.c:12'], [1, 'int x = 1; @ probe.bpf.c:12'], [2, 'static inline int f(void) @ helpers.h:3'], [1_000_000, 'return *p; @ probe.bpf.c:13'],
  ] as const, ([insn]) => `SourceLines.at(${insn})`, ([insn, text]) => {
    assert.is(source().at(insn), text);
  });
  test('SourceLines knows nothing of records that lead nowhere, nor of instructions before the first', () => {
    const lines = [line(2, 0xffff_ffff, 1), line(3, FIRST!, 1, 0xffff_fff0), line(4, 0, 5)];
    assert.equal([1, 2, 3, 4].map((insn) => new SourceLines(lines, btf).at(insn)), [undefined, undefined, undefined, '@ probe.bpf.c:5']);
  });
  test('SourceLines stops reading where a hostile object names one long text again and again', () => {
    const long = new BtfBuilder();
    const text = long.string('x'.repeat(1 << 16));
    const lines = Array.from({ length: 300 }, (_, insn) => line(insn, text, insn, 0));
    const sources = new SourceLines(lines, parseBtf(long.build(), { source: 'test' }));
    assert.is(sources.at(0), `${'x'.repeat(200)}… @ :0`);
    assert.equal([sources.at(255) !== undefined, lines.filter((_, insn) => sources.at(insn) !== undefined).length], [true, 256]);
  });
  test('findUnknownCall and replaceUnknownCall put words in the place of a call', () => {
    const call = findUnknownCall(UNKNOWN)!;
    assert.equal(call, { insn: 1, number: 195896080, from: 1, to: 2 });
    assert.is(replaceUnknownCall(UNKNOWN, call, 'load of map "m"', ['map "m" is not created', 'so']), '; int x = 1; @ probe.bpf.c:12\n1: <load of map "m">\nmap "m" is not created\nso\nprocessed 2 insns\n');
  });
  test.table([
    ['', 'nothing'], [ANNOTATED, 'another complaint'], ['invalid func unknown#7\n', 'no instruction'],
    ['1: (85) call unknown#8\ninvalid func unknown#7\n', 'another call'], ['1: (85) call bpf_loop#181\ninvalid func bpf_loop#181\n', 'a helper'],
  ] as const, ([, what]) => `findUnknownCall finds none in a log with ${what}`, ([log]) => {
    assert.is(findUnknownCall(log), undefined);
  });
  test('any text is taken, cut and mixed', () => {
    const below = random(11);
    const lines = `${ANNOTATED}${UNKNOWN}`.split('\n');
    for (let i = 0; i < 1000; i++) {
      const mixed = Array.from({ length: below(12) }, () => lines[below(lines.length)]!.slice(0, below(60))).join('\n');
      assert.type(annotateLog(mixed, source()), 'string');
      findUnknownCall(mixed);
    }
  });
});
