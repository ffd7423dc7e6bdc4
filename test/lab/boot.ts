/**
 * Boots a lab kernel under qemu's software emulation and runs one command in it. The machine's own file system is shared
 * read-only over 9p, so the guest uses this Node and this checkout as they stand; what must be written goes to a tmpfs, which
 * TMPDIR names. Each run ends with exactly one closing line that carries the command's exit status.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Image } from './fetch.js';
import { MACHINES } from './kernels.js';

/** What the guest needs to reach the shared root; their dependencies come from modules.dep, built-in ones are absent there. */
const MODULES = ['virtio_pci', '9pnet_virtio', '9p'];
const CLOSING = /^LAB-EXIT (\d+)\r?$/gm;

export interface Run { readonly status: number; readonly output: string; readonly seconds: number }

/**
 * @param command for /bin/sh, in the folder `cwd`, as root
 * @param onOutput gets the console's text as it comes
 * @throws Error where the guest panics, prints no closing line or more than one, or exceeds `seconds`
 */
export async function bootAndRun(image: Image, command: string, cwd: string, seconds: number, onOutput: (text: string) => void = () => {}): Promise<Run> {
  const work = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    const initramfs = buildInitramfs(work, image, command, cwd);
    const started = Date.now();
    const { qemu: [emulator, ...machine], console } = MACHINES[image.arch];
    const qemu = spawn(emulator, [
      ...machine, '-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', '2', '-m', '2048', '-nographic', '-no-reboot', '-nic', 'none',
      '-kernel', image.kernel, '-initrd', initramfs, '-append', `console=${console} quiet loglevel=1 panic=-1 lsm=bpf`,
      '-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap',
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => qemu.kill('SIGKILL'), seconds * 1000);
    qemu.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; onOutput(text); });
    qemu.stderr.setEncoding('utf8').on('data', (text: string) => { output += text; onOutput(text); });
    await new Promise<void>((done, failed) => { qemu.on('error', failed); qemu.on('close', () => done()); });
    clearTimeout(timer);
    const closing = [...output.matchAll(CLOSING)];
    const took = (Date.now() - started) / 1000;
    if (closing.length !== 1) throw new Error(`${image.release}: ${closing.length} closing lines after ${took.toFixed(1)} s, one expected\n${output.slice(-4000)}`);
    return { status: Number(closing[0]![1]), output: output.slice(0, closing[0]!.index), seconds: took };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function buildInitramfs(work: string, image: Image, command: string, cwd: string): string {
  const root = join(work, 'root');
  for (const folder of ['bin', 'sbin', 'dev', 'proc', 'sys', 'host', 'guest', 'modules']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(join(image.userland?.root ?? '', '/bin/busybox'), join(root, 'bin/busybox'));
  for (const name of ['sh', 'mount', 'insmod', 'cat', 'chroot', 'poweroff', 'ip', 'mkdir', 'cp']) symlinkSync('busybox', join(root, 'bin', name));
  // the kernel's own module loading (veth, cls_bpf …) calls this one; busybox's does not read compressed modules
  writeFileSync(join(root, 'sbin/modprobe'), `#!/bin/sh\nexec chroot /guest /sbin/modprobe -d ${image.root} "$@"\n`);
  chmodSync(join(root, 'sbin/modprobe'), 0o755);

  const names: string[] = [];
  const folder = join(image.root, 'lib/modules', image.release);
  const depends = new Map(readFileSync(join(folder, 'modules.dep'), 'utf8').trimEnd().split('\n').map((line) => {
    const [file, needs] = line.split(':') as [string, string];
    return [moduleName(file), [file, ...needs.trim().split(' ').filter(Boolean)]] as const;
  }));
  for (const wanted of MODULES) {
    // modules.dep lists what a module needs nearest first
    for (const file of [...(depends.get(wanted) ?? [])].reverse()) {
      const name = `${moduleName(file)}.ko`;
      if (names.includes(name)) continue;
      const target = join(root, 'modules', name);
      copyFileSync(join(folder, file), file.endsWith('.xz') ? `${target}.xz` : target);
      if (file.endsWith('.xz')) execFileSync('xz', ['-d', `${target}.xz`]);
      names.push(name);
    }
  }

  writeFileSync(join(root, 'command'), `cd '${cwd}' && { ${command}\n}\n`);
  const path = [image.userland && `/userland/${image.userland.node}`, process.env['PATH'] ?? '/usr/bin:/bin'].filter(Boolean).join(':');
  writeFileSync(join(root, 'init'), `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in ${names.join(' ')}; do insmod /modules/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=loose,ro host /host
${image.userland ? otherPrograms(image.userland.root) : 'mount --bind /host /guest'}
for tree in proc sys dev; do mount --bind /$tree /guest/$tree; done
mount -t tmpfs tmpfs /guest/run
mount --bind /host${image.root}/boot /guest/boot
mount -t tracefs tracefs /guest/sys/kernel/tracing
mount -t bpf bpf /guest/sys/fs/bpf
mount -t cgroup2 cgroup2 /guest/sys/fs/cgroup
mount -t securityfs securityfs /guest/sys/kernel/security
mkdir -p /guest/run/netns /guest/run/tmp
ip link set lo up
export HOME=/run/tmp TMPDIR=/run/tmp NO_COLOR=1 FORCE_COLOR=0 TERM=dumb NO_SKIP=1 LAB=${basename(image.root)} PATH='${path}' NODE_PATH=/userland/node_modules
chroot /guest /bin/sh -c "$(cat /command)" </dev/null
status=$?
echo
echo "LAB-EXIT $status"
poweroff -f
`);
  chmodSync(join(root, 'init'), 0o755);
  const initramfs = join(work, 'initramfs');
  execFileSync('sh', ['-c', `find . | cpio -o -H newc --quiet > ${initramfs}`], { cwd: root });
  return initramfs;
}

/** The machine's own folders, but for those that hold programs; /userland is where no privilege is needed to read. */
function otherPrograms(root: string): string {
  return `mount -t tmpfs tmpfs /guest
mkdir /guest/userland
mount --bind /host${root} /guest/userland
for entry in /host/* /host${root}/usr; do
  name=\${entry##*/}
  case $entry in /host/usr) continue;; esac
  if [ -L $entry ]; then cp -d $entry /guest/; elif [ -d $entry ]; then mkdir -p /guest/$name; mount --bind $entry /guest/$name; fi
done`;
}

/** `kernel/net/9p/9pnet.ko.xz` -> `9pnet` */
function moduleName(file: string): string {
  return basename(file).replace(/\.ko(\.xz)?$/, '');
}
