/** Kernel structures implemented in BPF, and functions of programs replaced by others. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { progTestRun } from '#src/kernel/bpf.js';
import { BpfObject } from '#src/loader/load.js';
import { keepsDescriptors, needsLinux } from '../support/kernel.js';
import { fixture, needsRoot } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const read = (name: string): Uint8Array => readFileSync(fixture(`loader/${name}.bpf.o`));
const available = () => readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'latin1').trim().split(' ');

/** Sends 100 kB through a connection of the loopback that uses the algorithm (IPPROTO_TCP is 6, TCP_CONGESTION 13). Every Debian has perl. */
const transfer = (algorithm: string) => execFileSync('perl', ['-MSocket', '-e', `
socket(L, AF_INET, SOCK_STREAM, 0) && bind(L, sockaddr_in(0, INADDR_LOOPBACK)) && listen(L, 1) or die $!;
socket(C, AF_INET, SOCK_STREAM, 0) && setsockopt(C, 6, 13, "${algorithm}") && connect(C, getsockname(L)) or die $!;
if (!fork) { close C; accept(P, L); 1 while sysread P, $data, 65536; exit }
syswrite(C, "x" x 100000) == 100000 or die $!;
close C; wait;
`], { stdio: 'pipe' });

const links = needsLinux('6.4', 'links on struct_ops maps');

suite('loader/struct-ops', (test) => {
  test.needing([needsRoot, links], 'a congestion control runs while it is attached, as a registered map and as a link', () => {
    BpfObject.load(read('struct-ops')).close();
    keepsDescriptors(() => {
      const object = BpfObject.load(read('struct-ops'), { name: 'struct-ops' });
      try {
        assert.equal(object.attachAll().map((link) => link.description), ['struct_ops calm', 'struct_ops calm_link']);
        assert.ok(available().includes('wasm_bpf_calm') && available().includes('wasm_bpf_link'));
        const asked = () => {
          const value = new Uint8Array(8);
          object.maps.get('.bss')!.lookup(new Uint8Array(4), value);
          return new BigUint64Array(value.buffer)[0];
        };
        for (const algorithm of ['wasm_bpf_calm', 'wasm_bpf_link']) {
          const before = asked();
          transfer(algorithm);
          assert.ok(asked() > before, algorithm);
        }
      } finally {
        // what is registered without a link stays so after the process ends
        object.close();
      }
      object.close();
      assert.not(available().some((name) => name.startsWith('wasm_bpf_')));
    });
  });

  test.needing([needsRoot, links], 'a link map can be attached again after its link is closed', () => {
    const object = BpfObject.load(read('struct-ops'));
    try {
      object.attachStructOps('calm_link').close();
      assert.not(available().includes('wasm_bpf_link'));
      object.attachStructOps('calm_link');
      assert.ok(available().includes('wasm_bpf_link'));
      throwsCode(() => object.attachStructOps('calm_lnk'), 'BPF_ATTACH', 'attach program "calm_lnk": the object has no such struct_ops map (did you mean "calm_link"?)');
      throwsCode(() => object.attach('calm_undo'), 'BPF_ATTACH', 'attach program "calm_undo": a program of a struct_ops map is attached with its map (BpfObject.attachStructOps, or attachAll)');
    } finally {
      object.close();
    }
    throwsCode(() => object.attachStructOps('calm_link'), 'BPF_ATTACH', 'attach program "calm_link": the object is closed');
  });

  test.needing([needsRoot], 'a member that the kernel lacks is an error only where it is used', () => {
    keepsDescriptors(() => throwsCode(() => BpfObject.load(read('struct-ops-unknown')), 'BPF_RELOCATION',
      'relocation of struct_ops map "calm_link": the kernel\'s struct tcp_congestion_ops has no member "not_in_any_kernel"'));
  });

  test.needing([needsRoot], 'freplace takes over a function of another program, or the message says who forbids it', () => {
    const target = BpfObject.load(read('freplace'), { name: 'freplace' });
    const asks = target.programs.get('asks')!;
    try {
      throwsCode(() => BpfObject.load(read('freplace-by')), 'USAGE', 'program "passes" of section "freplace" replaces a function of another program: name that in the option "replaces"');
      assert.is(progTestRun({ progFd: asks.fd.value, dataIn: new Uint8Array(14) }).retval, 1);
      let replacement: BpfObject;
      try {
        replacement = BpfObject.load(read('freplace-by'), { replaces: { passes: asks } });
      } catch (error) {
        throwsCode(() => { throw error; }, 'SYSCALL', /^BPF_PROG_LOAD for program "passes" \(section "freplace\/verdict"\): EPERM \(this kernel refuses such programs even to root/);
        return;
      }
      assert.equal(replacement.attachAll().map((link) => link.description), ['freplace verdict']);
      assert.is(progTestRun({ progFd: asks.fd.value, dataIn: new Uint8Array(14) }).retval, 2);
      replacement.close();
      assert.is(progTestRun({ progFd: asks.fd.value, dataIn: new Uint8Array(14) }).retval, 1);
    } finally {
      target.close();
    }
  });
});
