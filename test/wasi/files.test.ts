/** Files and folders a guest was granted, and every way out of them that must not be one. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from '../support/suite.js';
import { WASI_GUESTS, type WasiGuest } from '../support/wasi.js';

const CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8;
const READ = 2n, WRITE = 0x40n;

/** A guest with `granted/` as its folder 3; `secret` lies beside it. No descriptor may be left over. */
async function inFolder(Guest: typeof WASI_GUESTS[number]['WasiGuest'], body: (g: WasiGuest, dir: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'wasi-'));
  const dir = join(root, 'granted');
  mkdirSync(join(dir, 'sub'), { recursive: true });
  writeFileSync(join(root, 'secret'), 'secret');
  writeFileSync(join(dir, 'file'), 'contents');
  const before = readdirSync('/proc/self/fd').length;
  const g = new Guest({ dirs: [{ host: dir, guest: '/data' }] });
  try {
    await body(g, dir);
  } finally {
    g.wasi.close();
    rmSync(root, { recursive: true });
  }
  assert.is(readdirSync('/proc/self/fd').length, before, 'a descriptor is left open');
}

for (const { on, WasiGuest, suspends } of WASI_GUESTS) suite(`wasi files ${on}`, (test) => {
  test('fd_prestat_get and fd_prestat_dir_name tell the name the folder was granted under', () => inFolder(WasiGuest, async (g) => {
    await g.do('fd_prestat_get', 3, 0);
    assert.equal([g.u32(0), g.u32(4)], [0, 5]);
    await g.do('fd_prestat_dir_name', 3, 16, 5);
    assert.is(g.text(16, 5), '/data');
    assert.is(await g.ask('fd_prestat_dir_name', 3, 16, 4), 'NAMETOOLONG');
    assert.is(await g.ask('fd_prestat_get', 4, 0), 'BADF');
    assert.is(await g.ask('fd_prestat_get', 1, 0), 'BADF');
  }));

  test('Wasi refuses a folder that is not there', () => {
    assert.throws(() => new WasiGuest({ dirs: [{ host: '/no/such/folder', guest: '/' }] }), (e: NodeJS.ErrnoException) => e.code === 'ENOENT');
  });

  test('path_open opens, reads, writes, creates, truncates, appends', () => inFolder(WasiGuest, async (g, dir) => {
    assert.is(await g.read(await g.open('file') as number), 'contents');
    assert.is(await g.open('absent'), 'NOENT');
    assert.is(await g.open('file', { oflags: CREAT | EXCL }), 'EXIST');
    assert.is(await g.open('file', { oflags: DIRECTORY, rights: READ }), 'NOTDIR');
    assert.is(await g.open('file', { oflags: DIRECTORY | CREAT }), 'INVAL');
    assert.is(await g.open('sub', { rights: WRITE }), 'ISDIR');
    const made = await g.open('sub/new', { oflags: CREAT }) as number;
    assert.is(await g.write(made, 'one two'), 'SUCCESS');
    await g.do('fd_seek', made, 4n, 0, 0);
    assert.is(await g.read(made), 'two');
    const cut = await g.open('sub/new', { oflags: TRUNC }) as number;
    assert.is(await g.read(cut), '');
    const end = await g.open('file', { fdflags: 1 }) as number;
    await g.write(end, ' and more');
    assert.is(readFileSync(join(dir, 'file'), 'utf8'), 'contents and more');
    const later = await g.open('file') as number;
    await g.do('fd_fdstat_set_flags', later, 1);
    await g.write(later, '!');
    assert.is(readFileSync(join(dir, 'file'), 'utf8'), 'contents and more!');
  }));

  test('a file opened for one way answers EBADF for the other', () => inFolder(WasiGuest, async (g) => {
    const r = await g.open('file', { rights: READ }) as number;
    assert.is(await g.write(r, 'x'), 'BADF');
    const w = await g.open('file', { rights: WRITE }) as number;
    assert.is(await g.ask('fd_read', w, ...g.vector(100, 1), 0), 'BADF');
    assert.is(await g.ask('fd_filestat_set_size', r, 0n), 'BADF');
  }));

  test('fd_seek, fd_tell, fd_pread and fd_pwrite keep positions apart', () => inFolder(WasiGuest, async (g) => {
    const fd = await g.open('file') as number;
    await g.do('fd_pread', fd, ...g.vector(100, 3), 2n, 0);
    assert.is(g.text(100, g.u32(0)), 'nte');
    g.put(200, 'XY');
    await g.do('fd_pwrite', fd, ...g.vector(200, 2), 6n, 0);
    await g.do('fd_tell', fd, 0);
    assert.is(g.u64(0), 0n);
    await g.do('fd_seek', fd, -3n, 2, 0);
    assert.is(g.u64(0), 5n);
    await g.do('fd_seek', fd, 1n, 1, 0);
    assert.is(await g.read(fd), 'XY');
    assert.is(await g.ask('fd_seek', fd, -9n, 0, 0), 'INVAL');
    assert.is(await g.ask('fd_seek', fd, 0n, 3, 0), 'INVAL');
    assert.is(await g.ask('fd_seek', fd, 1n << 62n, 0, 0), 'OVERFLOW');
    assert.is(await g.ask('fd_pread', fd, ...g.vector(100, 1), -1n, 0), 'INVAL');
    assert.is(await g.ask('fd_seek', 3, 0n, 0, 0), 'ISDIR');
    assert.is(await g.ask('fd_tell', 0, 0), 'SPIPE');
  }));

  test('fd_filestat_get and path_filestat_get tell size, type and times in ns', () => inFolder(WasiGuest, async (g, dir) => {
    const fd = await g.open('file') as number;
    await g.do('fd_filestat_get', fd, 64);
    const stat = statSync(join(dir, 'file'), { bigint: true });
    assert.equal([g.u64(64), g.u64(72), g.memory.bytes[80], g.u64(88), g.u64(96), g.u64(112)], [stat.dev, stat.ino, 4, 1n, 8n, stat.mtimeNs]);
    await g.do('path_filestat_get', 3, 0, 1024, g.put(1024, 'sub'), 64);
    assert.is(g.memory.bytes[80], 3);
    await g.do('path_filestat_get', 3, 0, 1024, g.put(1024, '.'), 64);
    assert.is(g.u64(72), statSync(dir, { bigint: true }).ino);
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, g.put(1024, 'none'), 64), 'NOENT');
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, 0, 64), 'NOENT');
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, g.put(1024, 'file/x'), 64), 'NOTDIR');
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, g.put(1024, Uint8Array.of(0xff)), 64), 'ILSEQ');
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, g.put(1024, 'a\0b'), 64), 'INVAL');
    assert.is(await g.ask('path_filestat_get', 3, 0, 1024, g.put(1024, 'n'.repeat(256)), 64), 'NAMETOOLONG');
  }));

  test('times and sizes can be set', () => inFolder(WasiGuest, async (g, dir) => {
    const fd = await g.open('file') as number;
    await g.do('fd_filestat_set_times', fd, 5_000_000_000n, 6_000_000_000n, 5);
    assert.equal([statSync(join(dir, 'file')).atimeMs, statSync(join(dir, 'file')).mtimeMs], [5000, 6000]);
    await g.do('path_filestat_set_times', 3, 0, 1024, g.put(1024, 'file'), 0n, 7_000_000_000n, 4);
    assert.equal([statSync(join(dir, 'file')).atimeMs, statSync(join(dir, 'file')).mtimeMs], [5000, 7000]);
    assert.is(await g.ask('fd_filestat_set_times', fd, 0n, 0n, 3), 'INVAL');
    await g.do('fd_filestat_set_size', fd, 3n);
    assert.is(readFileSync(join(dir, 'file'), 'utf8'), 'con');
    await g.do('fd_allocate', fd, 0n, 10n);
    assert.is(statSync(join(dir, 'file')).size, 10);
    assert.is(await g.ask('fd_allocate', fd, 0n, 0n), 'INVAL');
    assert.is(await g.ask('fd_filestat_set_size', fd, -1n), 'INVAL');
    for (const name of ['fd_sync', 'fd_datasync'] as const) await g.do(name, fd);
    await g.do('fd_advise', fd, 0n, 0n, 2);
    assert.is(await g.ask('fd_advise', fd, 0n, 0n, 6), 'INVAL');
  }));

  test('fd_readdir lists in pieces, each record once', () => inFolder(WasiGuest, async (g) => {
    const names: string[] = [];
    let cookie = 0n;
    for (let rounds = 0; rounds < 20; rounds++) {
      await g.do('fd_readdir', 3, 4096, 60, cookie, 0);
      const used = g.u32(0);
      for (let at = 4096; at + 24 <= 4096 + used;) {
        const length = g.u32(at + 16);
        if (at + 24 + length > 4096 + used) break;
        names.push(`${g.text(at + 24, length)}:${g.memory.bytes[at + 20]}`);
        cookie = g.u64(at);
        at += 24 + length;
      }
      if (used < 60) break;
    }
    assert.equal(names.sort(), ['..:3', '.:3', 'file:4', 'sub:3']);
    assert.is(await g.ask('fd_readdir', 1, 0, 10, 0n, 0), 'NOTDIR');
  }));

  test('folders are made and removed, files unlinked, renamed, linked', () => inFolder(WasiGuest, async (g, dir) => {
    const path = (text: string, at = 1024) => [at, g.put(at, text)] as const;
    await g.do('path_create_directory', 3, ...path('d/'));
    assert.is(await g.ask('path_create_directory', 3, ...path('d')), 'EXIST');
    assert.is(await g.ask('path_create_directory', 3, ...path('no/d')), 'NOENT');
    await g.do('path_rename', 3, ...path('file'), 3, ...path('d/moved', 2048));
    assert.ok(existsSync(join(dir, 'd/moved')));
    assert.is(await g.ask('path_remove_directory', 3, ...path('d')), 'NOTEMPTY');
    await g.do('path_link', 3, 0, ...path('d/moved'), 3, ...path('hard', 2048));
    assert.is(await g.ask('path_link', 3, 0, ...path('d/moved'), 3, ...path('hard', 2048)), 'EXIST');
    await g.do('path_unlink_file', 3, ...path('d/moved'));
    assert.is(await g.ask('path_unlink_file', 3, ...path('d')), 'ISDIR');
    assert.is(await g.ask('path_unlink_file', 3, ...path('gone')), 'NOENT');
    await g.do('path_remove_directory', 3, ...path('d/'));
    assert.is(await g.ask('path_remove_directory', 3, ...path('hard')), 'NOTDIR');
    await g.do('path_symlink', ...path('hard'), 3, ...path('soft', 2048));
    await g.do('path_readlink', 3, ...path('soft'), 4096, 3, 0);
    assert.equal([g.u32(0), g.text(4096, 3)], [3, 'har']);
    assert.is(await g.ask('path_readlink', 3, ...path('hard'), 4096, 3, 0), 'INVAL');
    assert.is(await g.read(await g.open('soft') as number), 'contents');
    assert.is(await g.open('soft', { follow: false }), 'LOOP');
  }));

  test('descriptors run out with EMFILE, and all are closed in the end', () => inFolder(WasiGuest, async (g) => {
    let last: number | string = 0;
    for (let i = 0; i < 1021; i++) last = await g.open('file', { rights: READ });
    assert.is(last, 'MFILE');
  }));

  test(`fd_read of a FIFO waits${suspends ? ' without holding up the host' : ''}`, () => inFolder(WasiGuest, async (g, dir) => {
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    const fd = await g.open('fifo') as number;
    if (suspends) setTimeout(() => writeFileSync(join(dir, 'fifo'), 'ping'), 20);
    else spawn('sh', ['-c', 'sleep 0.02; printf ping >fifo'], { cwd: dir, stdio: 'ignore' });
    assert.is(await g.read(fd), 'ping');
    assert.is(await g.ask('fd_seek', fd, 0n, 0, 0), 'SPIPE');
  }));
});

for (const { on, WasiGuest } of WASI_GUESTS) suite(`wasi sandbox ${on}`, (test) => {
  /** What lies in the granted folder for these. */
  function traps(dir: string): void {
    symlinkSync('/etc/passwd', join(dir, 'absolute'));
    symlinkSync('../secret', join(dir, 'up'));
    symlinkSync('..', join(dir, 'sub/parent'));
    symlinkSync('../..', join(dir, 'sub/grandparent'));
    symlinkSync('/', join(dir, 'rootdir'));
    symlinkSync('loop', join(dir, 'loop'));
    symlinkSync('a/../b', join(dir, 'dangling'));
    symlinkSync('file', join(dir, 'inside'));
    symlinkSync(`/proc/self/root`, join(dir, 'proc'));
    symlinkSync('../secret-made', join(dir, 'make'));
  }

  test.table([
    ['../secret', 'NOTCAPABLE'], ['..', 'NOTCAPABLE'], ['sub/../../secret', 'NOTCAPABLE'], ['./.././secret', 'NOTCAPABLE'],
    ['/etc/passwd', 'NOTCAPABLE'], ['//etc/passwd', 'NOTCAPABLE'], ['absolute', 'NOTCAPABLE'], ['up', 'NOTCAPABLE'],
    ['sub/grandparent/secret', 'NOTCAPABLE'], ['sub/grandparent', 'NOTCAPABLE'], ['rootdir/etc/passwd', 'NOTCAPABLE'],
    ['proc/etc/passwd', 'NOTCAPABLE'], ['loop', 'LOOP'], ['dangling', 'NOENT'], ['make', 'NOTCAPABLE'], ['absent/../file', 'NOENT'],
    ['file/../file', 'NOTDIR'], ['file/', 'NOTDIR'],
  ] as const, ([path, errno]) => `path_open of "${path}" answers E${errno}`, ([path, errno]) => inFolder(WasiGuest, async (g, dir) => {
    traps(dir);
    assert.is(await g.open(path, { oflags: CREAT }), errno);
    assert.is(await g.open(path), errno);
    assert.ok(!existsSync(join(dir, '../secret-made')));
  }));

  test.table(['file', './file', 'sub/../file', 'sub//..//file', 'inside', 'sub/parent/file', 'sub/parent/sub/parent/inside'], (path) => `path_open of "${path}" stays inside`, (path) => inFolder(WasiGuest, async (g, dir) => {
    traps(dir);
    assert.is(await g.read(await g.open(path, { rights: READ }) as number), 'contents');
  }));

  test('a folder the guest opens is a new root: ".." does not lead back', () => inFolder(WasiGuest, async (g) => {
    const sub = await g.open('sub', { oflags: DIRECTORY, rights: READ }) as number;
    assert.is(await g.open('../file', { folder: sub }), 'NOTCAPABLE');
  }));

  test('nothing else leads out either', () => inFolder(WasiGuest, async (g, dir) => {
    traps(dir);
    const at = (text: string, pointer = 1024) => [pointer, g.put(pointer, text)] as const;
    assert.is(await g.ask('path_create_directory', 3, ...at('../d')), 'NOTCAPABLE');
    assert.is(await g.ask('path_create_directory', 3, ...at('rootdir/d')), 'NOTCAPABLE');
    assert.is(await g.ask('path_unlink_file', 3, ...at('../secret')), 'NOTCAPABLE');
    assert.is(await g.ask('path_remove_directory', 3, ...at('sub/grandparent/granted')), 'NOTCAPABLE');
    assert.is(await g.ask('path_rename', 3, ...at('file'), 3, ...at('../file', 2048)), 'NOTCAPABLE');
    assert.is(await g.ask('path_rename', 3, ...at('../secret'), 3, ...at('mine', 2048)), 'NOTCAPABLE');
    assert.is(await g.ask('path_link', 3, 1, ...at('up'), 3, ...at('mine', 2048)), 'NOTCAPABLE');
    assert.is(await g.ask('path_symlink', ...at('/etc'), 3, ...at('mine', 2048)), 'NOTCAPABLE');
    assert.is(await g.ask('path_filestat_get', 3, 1, ...at('absolute'), 4096), 'NOTCAPABLE');
    assert.is(await g.ask('path_readlink', 3, ...at('rootdir/proc/self/exe'), 4096, 10, 0), 'NOTCAPABLE');
    assert.is(await g.ask('path_filestat_set_times', 3, 1, ...at('up'), 0n, 0n, 5), 'NOTCAPABLE');
    assert.is(readFileSync(join(dir, '../secret'), 'utf8'), 'secret');
    // the link itself is the guest's to see, to move and to remove
    await g.do('path_filestat_get', 3, 0, ...at('absolute'), 4096);
    assert.is(g.memory.bytes[4112], 7);
    await g.do('path_unlink_file', 3, ...at('absolute'));
    assert.ok(existsSync('/etc/passwd'));
  }));
});
