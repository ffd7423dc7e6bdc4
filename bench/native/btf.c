/*
 * Types of the running kernel with libbpf, on demand: "btf" on standard input answers with one line of name=count:nanoseconds
 * words (bench/worker.ts): reading and indexing vmlinux's BTF, then looking up eight types.
 */
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {
	"task_struct", "file", "sock", "inode", "request", "trace_event_raw_sched_switch", "signal_struct", "mm_struct",
};

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		long long start = now_ns(), parsed, found;
		struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);

		if (!btf) {
			fprintf(stderr, "no /sys/kernel/btf/vmlinux\n");
			return 1;
		}
		parsed = now_ns();
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (btf__find_by_name_kind(btf, names[i], BTF_KIND_STRUCT) < 0)
				fprintf(stderr, "no struct %s\n", names[i]);
		found = now_ns();
		printf("parse=1:%lld find=1:%lld\n", parsed - start, found - parsed);
		fflush(stdout);
		btf__free(btf);
	}
	return 0;
}
