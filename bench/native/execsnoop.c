/*
 * fixtures/execsnoop.c for libbpf: the same object, the same lines, until COUNT events were printed.
 *
 *   execsnoop FILE COUNT
 *
 * Build: gcc -O2 execsnoop.c -lbpf (Debian's libbpf-dev).
 */
#include <stdio.h>
#include <stdlib.h>
#include <bpf/libbpf.h>
#include "../../fixtures/execsnoop.h"

static long seen, count;

static int print(void *ctx, void *data, size_t size)
{
	const struct event *e = data;
	(void)ctx;
	if (size < sizeof(*e))
		return 0;
	if (e->kind == KIND_EXEC) {
		printf("exec %-7u %-7u %-16.16s %s\n", e->pid, e->ppid, e->comm, e->filename);
	} else {
		unsigned int signal = e->exit_code & 0x7f;
		unsigned int status = signal ? signal : e->exit_code >> 8 & 0xff;
		printf("exit %-7u %-7u %-16.16s %s %u", e->pid, e->ppid, e->comm, signal ? "signal" : "status", status);
		if (e->duration_ns)
			printf(" after %llu.%03llu ms", e->duration_ns / 1000000, e->duration_ns / 1000 % 1000);
		putchar('\n');
	}
	return ++seen >= count ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct bpf_program *program;
	if (argc != 3 || (count = atol(argv[2])) < 1) {
		fprintf(stderr, "usage: execsnoop FILE COUNT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0)
		return 1;
	bpf_object__for_each_program(program, object)
		if (!bpf_program__attach(program))
			return 1;
	struct ring_buffer *ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), print, NULL, NULL);
	if (!ring)
		return 1;
	printf("%-4s %-7s %-7s %-16s %s\n", "WHAT", "PID", "PPID", "COMM", "FILE, OR END");
	while (seen < count)
		ring_buffer__poll(ring, 1000);
	return 0;
}
