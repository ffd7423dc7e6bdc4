/** Objects into the kernel: maps as declared, values as asked, externs, pins, and one clear error for each thing that is wrong. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { ProjectError, type VerifierError } from '#src/errors.js';
import { mapInfo, progMapIds, progTestRun } from '#src/kernel/bpf.js';
import { possibleCpus } from '#src/kernel/cpus.js';
import { hasSymbol } from '#src/kernel/kallsyms.js';
import { parseKconfig, readKconfig } from '#src/kernel/kconfig.js';
import { kernelAtLeast, kernelVersionCode } from '#src/kernel/release.js';
import { BpfObject, type LoadOptions } from '#src/loader/load.js';
import { parseObject } from '#src/reloc/object.js';
import { random } from '../support/btf.js';
import { descriptors, keepsDescriptors, needsFeature, needsLinux, u32Bytes, u64Bytes } from '../support/kernel.js';
import { fixture, needsCommand, needsRoot, root } from '../support/probe.js';
import { assert, sameBytes, suite, throwsCode, type Need } from '../support/suite.js';

const needs = [needsRoot];
/** for the fixture objects.bpf.o */
const calls = [needsRoot, needsLinux('5.14', 'programs of section "syscall"')];
const read = (name: string): Uint8Array => readFileSync(fixture(`loader/${name}.bpf.o`));

/** Loads, uses, closes; the second time around nothing may stay open. */
function withObject(name: string, options: LoadOptions, use: (object: BpfObject) => void): void {
  BpfObject.load(read(name), { name, ...options }).close();
  keepsDescriptors(() => {
    const object = BpfObject.load(read(name), { name, ...options });
    try {
      use(object);
    } finally {
      object.close();
      object[Symbol.dispose]();
    }
  });
}

const call = (object: BpfObject, name: string): number => progTestRun({ progFd: object.programs.get(name)!.fd.value, subject: name }).retval | 0;
/** Debian's kernels have it in a file of /boot that the lab's guests do not see. */
const configuration: Need = { name: 'the kernel configuration', missing: hasConfiguration() ? undefined : 'neither /boot nor /proc has it' };
const only = (...names: string[]): LoadOptions => ({ autoload: ({ name }) => names.includes(name) });
const broken = (...names: string[]) => () => BpfObject.load(read('broken'), { name: 'broken', ...only(...names) });

function hasConfiguration(): boolean {
  try {
    return readKconfig().size > 0;
  } catch {
    return false;
  }
}

suite('loader/load', (test) => {
  test.needing(calls, 'BpfObject.load makes every map as declared', () => {
    withObject('objects', {}, ({ maps }) => {
      const shape = (name: string) => {
        const { type, keySize, valueSize, maxEntries, flags } = maps.get(name)!;
        return [type, keySize, valueSize, maxEntries, flags];
      };
      assert.equal(shape('hash'), [1, 8, 8, 16, 1]);
      assert.equal(shape('percpu'), [6, 4, 8, 3, 0]);
      assert.equal(shape('queue'), [22, 0, 4, 4, 0]);
      assert.equal(shape('stacks'), [7, 4, 1016, 16, 0]);
      assert.equal(shape('outer'), [12, 4, 4, 4, 0]);
      // 5000 bytes are two pages of 4 KiB
      assert.equal(shape('ring'), [27, 0, 0, 8192, 0]);
      assert.equal(shape('perf'), [4, 4, 4, possibleCpus(), 0]);
      // BPF_F_MMAPABLE, and BPF_F_RDONLY_PROG for what is constant
      assert.equal(shape('.rodata'), [2, 4, 4, 1, 0x480]);
      assert.equal(shape('.data'), [2, 4, 4, 1, 0x400]);
      assert.is(maps.get('.bss')!.name, 'objects.bss');
      assert.is(maps.get('.kconfig')!.name, 'objects.kconfig');
      const { btfId, btfKeyTypeId, btfValueTypeId } = mapInfo(maps.get('hash')!.fd.value);
      assert.ok(btfId > 0 && btfKeyTypeId > 0 && btfValueTypeId > 0, 'types of keys and values');
    });
  });

  test.needing(calls, 'slots of a map-in-map hold the maps that the object names', () => {
    withObject('objects', {}, (object) => {
      const { maps } = object;
      const id = new Uint8Array(4);
      assert.is(maps.get('outer')!.lookup(u32Bytes(0), id), false);
      assert.ok(maps.get('outer')!.lookup(u32Bytes(1), id));
      sameBytes(id, u32Bytes(maps.get('inner_a')!.id));
      assert.ok(maps.get('outer')!.lookup(u32Bytes(3), id));
      sameBytes(id, u32Bytes(maps.get('inner_b')!.id));
      maps.get('inner_a')!.update(u32Bytes(1), u32Bytes(77));
      assert.is(call(object, 'maps'), 77);
    });
  });

  test.needing(calls, 'global variables start with their values, or with those of the options', () => {
    withObject('objects', {}, (object) => {
      assert.is(call(object, 'globals'), 12);
      assert.is(call(object, 'globals'), 24);
      throwsCode(() => object.maps.get('.rodata')!.update(u32Bytes(0), u32Bytes(1)), 'SYSCALL', /EPERM/);
    });
    withObject('objects', { rodata: { level: 100, counter: -3n, total: u64Bytes(1000n) } }, (object) => {
      assert.is(call(object, 'globals'), 1097);
    });
  });

  test.table([
    [{ levle: 1 }, 'the object has no global variable "levle" (did you mean "level"?)'],
    [{ level: 2 ** 32 }, 'global variable "level" has 4 bytes, 4294967296 does not fit'],
    [{ level: 1.5 }, 'global variable "level" takes a whole number, not 1.5'],
    [{ level: new Uint8Array(5) }, 'global variable "level" has 4 bytes, the value 5'],
  ] as const, ([rodata]) => `BpfObject.load refuses the value ${Object.keys(rodata)[0]} = ${Object.values(rodata)[0]}`, ([rodata, message]) => {
    keepsDescriptors(() => throwsCode(() => BpfObject.load(read('objects'), { rodata }), 'USAGE', message));
  });

  test.needing(calls, 'mapEntries changes a map\'s size, and refuses names that are not there', () => {
    withObject('objects', { mapEntries: { hash: 5, ring: 70_000 } }, ({ maps }) => {
      assert.is(maps.get('hash')!.maxEntries, 5);
      assert.is(maps.get('ring')!.maxEntries, 131_072);
    });
    throwsCode(() => BpfObject.load(read('objects'), { mapEntries: { hsah: 5 } }), 'USAGE', 'mapEntries: the object has no map "hsah" (did you mean "hash"?)');
  });

  test.needing([...calls, configuration], '__kconfig externs read the kernel\'s configuration and version', () => {
    const warnings: string[] = [];
    withObject('objects-config', { onWarning: (text) => warnings.push(text) }, (object) => {
      const config = readKconfig();
      assert.is(call(object, 'config_hz'), Number(config.get('CONFIG_HZ')));
      assert.is(call(object, 'kernel_version'), kernelVersionCode());
      assert.is(call(object, 'config_rest'), 1 | 4);
      const size = parseKconfig(`CONFIG_A="x"`).size;
      assert.is(size, 1);
    });
    const length = readKconfig().get('CONFIG_CC_VERSION_TEXT')!.length - 2;
    assert.ok(warnings.includes(`extern "CONFIG_CC_VERSION_TEXT": the string of ${length} bytes is cut to 7`));
  });

  test.needing([...calls, needsFeature('moduleBtf')], '__ksym externs: an address, a weak one that is absent, kernel functions', () => {
    withObject('objects', {}, (object) => {
      assert.is(call(object, 'symbols'), 1);
      assert.is(call(object, 'functions'), kernelAtLeast('6.2') ? 25 : 9);
    });
  });

  test.needing(calls, 'a typed kernel variable is found, or the verifier says that the kernel hides its address', () => {
    const run = () => withObject('objects-typed', only('typed_symbol'), (object) => { call(object, 'typed_symbol'); });
    if (hasSymbol('bpf_prog_active')) run();
    else throwsCode(run, 'BPF_VERIFIER', 'BPF_PROG_LOAD for program "typed_symbol": ENOENT: ldimm64 failed to find the address for kernel symbol \'bpf_prog_active\'.');
  });

  test.needing(needs, 'program arrays are filled with programs of the object, pinned maps are shared and checked', () => {
    const pinPath = `/sys/fs/bpf/wasm-bpf-ts-${process.pid}`;
    const options: LoadOptions = { pinPath };
    try {
      keepsDescriptors(() => {
        const first = BpfObject.load(read('jump'), { name: 'jump', ...options });
        assert.ok(existsSync(`${pinPath}/pinned_counter`));
        assert.is(progTestRun({ progFd: first.programs.get('on_first')!.fd.value, dataIn: new Uint8Array(14) }).retval, 2);
        const second = BpfObject.load(read('jump'), { name: 'jump', ...options });
        assert.is(second.maps.get('pinned_counter')!.id, first.maps.get('pinned_counter')!.id);
        const count = new Uint8Array(8);
        second.maps.get('pinned_counter')!.lookup(u32Bytes(0), count);
        sameBytes(count, u64Bytes(1n));
        second.close();
        first.close();
      });
      keepsDescriptors(() => {
        throwsCode(() => BpfObject.load(read('jump'), { ...options, mapEntries: { pinned_counter: 2 } }), 'USAGE',
          `map "pinned_counter" is pinned at ${pinPath}/pinned_counter with another shape: entries 1 there, 2 wanted (remove the file, or give another pin path)`);
      });
    } finally {
      rmSync(pinPath, { recursive: true, force: true });
    }
  });

  test.needing(needs, 'a slot whose program is not loaded stays empty, with a warning', () => {
    const warnings: string[] = [];
    const pinPath = `/sys/fs/bpf/wasm-bpf-ts-${process.pid}`;
    try {
      withObject('jump', { pinPath, ...only('on_first'), onWarning: (text) => warnings.push(text) }, (object) => {
        assert.is(progTestRun({ progFd: object.programs.get('on_first')!.fd.value, dataIn: new Uint8Array(14) }).retval, 0);
      });
      assert.is(warnings[0], 'slot 2 of map "jumps" stays empty: "on_second" is not loaded');
    } finally {
      rmSync(pinPath, { recursive: true, force: true });
    }
  });

  test.needing([...calls, needsFeature('progBindMap')], 'programs hold the object\'s constants even where they do not use them', () => {
    withObject('objects', {}, ({ programs, maps }) => {
      assert.ok(progMapIds(programs.get('kernel_version')!.fd.value).includes(maps.get('.rodata')!.id));
    });
  });

  test.needing(calls, 'BpfProgram tells type, section, id, tag, and the log that was asked for', () => {
    withObject('objects', { ...only('globals'), logLevel: 1 }, ({ programs }) => {
      const program = programs.get('globals')!;
      assert.is(program.section, 'syscall');
      assert.is(program.type, 31);
      assert.ok(program.id > 0);
      assert.match(program.tag, /^[0-9a-f]{16}$/);
      assert.match(program.log, /processed \d+ insns/);
      assert.equal([...programs.keys()], ['globals']);
    });
  });

  test.needing([...calls, needsCommand('bpftool', 'bpftool')], 'programs have the tags that libbpf\'s have', () => {
    const folder = `/sys/fs/bpf/wasm-bpf-ts-tags-${process.pid}`;
    const file = fixture('loader/objects.bpf.o');
    execFileSync('bpftool', ['prog', 'loadall', file, folder], { stdio: 'pipe' });
    try {
      withObject('objects', {}, ({ programs }) => {
        for (const [name, program] of programs) {
          // it guards a weak function that is absent, which libbpf before 1.2 marks in another way
          if (name === 'functions') continue;
          const shown = JSON.parse(execFileSync('bpftool', ['-j', 'prog', 'show', 'pinned', `${folder}/${name}`], { encoding: 'utf8' })) as { tag: string };
          assert.is(program.tag, shown.tag, name);
        }
        assert.is(programs.size, 6);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.needing(needs, 'VerifierError keeps the whole log and shows the telling lines', () => {
    const before = descriptors().length;
    const error = throwsCode<VerifierError>(broken('null_pointer'), 'BPF_VERIFIER',
      /^BPF_PROG_LOAD for program "null_pointer": EACCES: R0 invalid mem access 'map_value_or_null' \[insn \d+: \(79\) r0 = \*\(u64 \*\)\(r0 \+0\) at "return \*value;( @ broken\.bpf\.c:\d+)?"\]$/);
    assert.is(descriptors().length, before);
    assert.is(error.errnoName, 'EACCES');
    assert.match(error.log, /processed \d+ insns/);
  });

  test.needing(needs, 'a CO-RE field that is gone is told instead of the poisoned instruction', () => {
    throwsCode(broken('missing_field'), 'BPF_VERIFIER',
      /^BPF_PROG_LOAD for program "missing_field": EINVAL: CO-RE: struct task_struct has no field "no_such_field" in the running kernel's BTF; insn \d+ of "missing_field" is poisoned \(guard it with bpf_core_field_exists\)$/);
  });

  test.needing(needs, 'a weak kernel function that is called although it is absent is told by name', () => {
    throwsCode(broken('absent_function'), 'BPF_VERIFIER',
      'BPF_PROG_LOAD for program "absent_function": EINVAL: calls kernel function "no_such_function_weak", which this kernel lacks (guard the call with bpf_ksym_exists)');
  });

  test.table([
    ['unknown_section', 'BPF_ATTACH', 'attach program "unknown_section": section "?no_such_section/foo" says nothing about the program\'s type (a name like "tp/CATEGORY/NAME", "kprobe/FUNCTION", "xdp")'],
    ['no_function', 'BPF_ATTACH', 'attach program "no_function": section "fentry" names no kernel function (write SEC("fentry/NAME"))'],
  ] as const, ([name]) => `BpfObject.load says what is wrong with ${name}`, ([name, code, message]) => {
    keepsDescriptors(() => throwsCode(broken(name), code, message));
  });

  test.table([
    ['broken-symbol', 'relocation of extern "no_such_symbol": no symbol "no_such_symbol" in /proc/kallsyms'],
    ['broken-variable', 'no variable "no_such_variable" in the kernel\'s BTF'],
    ['broken-function', 'no function "no_such_function" in the kernel\'s BTF'],
    ['broken-knowledge', '"LINUX_NO_SUCH_VALUE" is neither a CONFIG_ name nor one of LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE, LINUX_HAS_SYSCALL_WRAPPER'],
  ] as const, ([name]) => `a strong extern that nobody has stops the load: ${name}`, ([name, message]) => {
    keepsDescriptors(() => {
      const error = throwsCode(() => BpfObject.load(read(name)), 'BPF_RELOCATION');
      assert.ok(error.message.includes(message), error.message);
    });
  });

  test.needing([...needs, configuration], 'a strong extern that the configuration does not set stops the load', () => {
    keepsDescriptors(() => throwsCode(() => BpfObject.load(read('broken-config')), 'BPF_RELOCATION',
      'relocation of extern "CONFIG_NO_SUCH_THING": the kernel\'s configuration does not set it (declare it __weak and test for it)'));
  });

  test.needing(needs, 'an attach function that does not exist is told before the load, with names that are near', () => {
    throwsCode(() => BpfObject.load(read('families'), only('on_nothing')), 'BPF_ATTACH', /^attach program "on_nothing": no kernel function "no_such_functoin" in the BTF of the running kernel/);
  });

  test.needing(needs, 'a map without a number of entries is told how to get one', () => {
    keepsDescriptors(() => throwsCode(() => BpfObject.load(read('broken-size'), only('good')), 'SYSCALL',
      'BPF_MAP_CREATE for map "sizeless" (hash, 4 -> 4 bytes): EINVAL (the object leaves its number of entries open: give it in mapEntries["sizeless"])'));
    BpfObject.load(read('broken-size'), { ...only('good'), mapEntries: { sizeless: 3 } }).close();
  });

  test.needing(needs, 'a failure in the last program closes what the first ones opened', () => {
    keepsDescriptors(() => throwsCode(broken('good', 'null_pointer'), 'BPF_VERIFIER'));
    keepsDescriptors(() => throwsCode(broken('null_pointer', 'good'), 'BPF_VERIFIER'));
  });

  test.needing(needs, 'BpfObject.attach knows which programs are there', () => {
    withObject('broken', only('good'), (object) => {
      throwsCode(() => object.attach('god'), 'BPF_ATTACH', 'attach program "god": the object has no such program (did you mean "good"?)');
      throwsCode(() => object.attach('null_pointer'), 'BPF_ATTACH', 'attach program "null_pointer": the program was not loaded (its section name starts with "?", or the autoload option left it out)');
      object.close();
      throwsCode(() => object.attach('good'), 'BPF_ATTACH', 'attach program "good": the object is closed');
    });
  });

  test.needing([...needs, needsCommand('setpriv', 'util-linux')], 'without capabilities the message says which are missing', () => {
    const script = `import { readFileSync } from 'node:fs';
      import { BpfObject } from ${JSON.stringify(`${root}dist/es/loader/load.js`)};
      try { BpfObject.load(readFileSync(${JSON.stringify(fixture('loader/objects.bpf.o'))}), { name: 'objects' }); }
      catch (error) { console.log(error.code, error.message); }`;
    const { stdout, stderr } = spawnSync('setpriv', ['--bounding-set=-all', '--inh-caps=-all', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.is(stderr, '');
    assert.is(stdout, 'SYSCALL BPF_PROG_LOAD for object "objects": EPERM (run as root, or grant CAP_BPF and CAP_PERFMON)\n');
  });

  test.needing(needs, 'damaged objects are refused with an error of this project, or load; nothing stays open', () => {
    const below = random(23);
    const bytes = read('jump');
    const codes = new Set(['BPF_ELF', 'BPF_BTF', 'BPF_RELOCATION', 'BPF_ATTACH', 'BPF_VERIFIER', 'SYSCALL', 'UNSUPPORTED', 'USAGE']);
    const pinPath = `/sys/fs/bpf/wasm-bpf-ts-fuzz-${process.pid}`;
    keepsDescriptors(() => {
      const end = Date.now() + 2000;
      for (let i = 0; i < 300 && Date.now() < end; i++) {
        const damaged = Uint8Array.from(bytes);
        for (let n = 1 + below(6); n > 0; n--) damaged[below(damaged.length)] = below(256);
        try {
          BpfObject.load(damaged, { pinPath }).close();
        } catch (error) {
          if (!(error instanceof ProjectError) || !codes.has(error.code)) throw error;
        } finally {
          rmSync(pinPath, { recursive: true, force: true });
        }
      }
    });
  });

  test('parseObject\'s spec is not changed by a load that fails', () => {
    const bytes = read('broken');
    const before = parseObject(bytes, { name: 'broken' }).programs.map(({ insns }) => Buffer.from(insns).toString('hex'));
    throwsCode(() => BpfObject.load(bytes, only('unknown_section')), 'BPF_ATTACH');
    assert.equal(parseObject(bytes, { name: 'broken' }).programs.map(({ insns }) => Buffer.from(insns).toString('hex')), before);
    assert.ok(statSync(fixture('loader/broken.bpf.o')).size > 0);
  });
});
