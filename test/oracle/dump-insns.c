/*
 * What libbpf makes of a BPF object, as JSON: the attributes of every map, the BTF it gives to the kernel, and for every
 * program the instructions, function and line records it would load.
 *
 *   dump-insns FILE NAME
 *
 * In the environment: KCONFIG_TEXT for a kernel configuration, TARGET_BTF for a file with the types that CO-RE relocates to,
 * ONLY for a single program to load, ABSENT for a map that is not created.
 *
 * The executable has a syscall() of its own, which the dynamic linker prefers to libc's: BPF_PROG_LOAD of the object's
 * programs is written down and answered with a descriptor of /dev/null, so that programs which this kernel refuses can be
 * compared too. So is a map that the kernel refuses, because the tool that holds the object would have set its size. Everything else, libbpf's feature probes among it, goes to the kernel. Sections are handled by handlers
 * without a load hook, so that no attach target is looked for.
 *
 * Build: gcc -O1 -o dump-insns dump-insns.c -lbpf
 */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct bpf_object *object;
static bool first_program = true;

static long kernel(long number, const long *a)
{
	static long (*libc)(long number, ...);

	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "syscall");
	return libc(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void print_hex(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	putchar('"');
	for (size_t i = 0; i < length; i++)
		printf("%02x", at[i]);
	putchar('"');
}

static void print_words(const char *key, __u64 records, __u32 count, __u32 size)
{
	printf(",\"%s\":[", key);
	for (__u32 i = 0; i < count; i++) {
		const __u32 *record = (const void *)(records + (__u64)i * size);

		printf("%s[", i ? "," : "");
		for (__u32 j = 0; j < size / 4; j++)
			printf("%s%u", j ? "," : "", record[j]);
		putchar(']');
	}
	putchar(']');
}

static void print_object(void)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map;
	bool first = true;

	printf("\"btf\":");
	if (btf) {
		__u32 size;
		const void *raw = btf__raw_data(btf, &size);

		print_hex(raw, size);
	} else {
		printf("null");
	}
	printf(",\"maps\":[");
	bpf_object__for_each_map(map, object) {
		printf("%s{\"name\":\"%s\",\"fd\":%d,\"type\":%u,\"keySize\":%u,\"valueSize\":%u,\"maxEntries\":%u,\"mapFlags\":%u,\"numaNode\":%u,"
		       "\"mapExtra\":\"%llu\",\"btfKeyTypeId\":%u,\"btfValueTypeId\":%u,\"pinned\":%s}",
		       first ? "" : ",", bpf_map__name(map), bpf_map__fd(map), bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
		       bpf_map__max_entries(map), bpf_map__map_flags(map), bpf_map__numa_node(map), (unsigned long long)bpf_map__map_extra(map),
		       bpf_map__btf_key_type_id(map), bpf_map__btf_value_type_id(map), bpf_map__pin_path(map) ? "true" : "false");
		first = false;
	}
	printf("],\"programs\":[");
}

static bool is_our_map(const char *name)
{
	struct bpf_map *map;

	if (!object)
		return false;
	bpf_object__for_each_map(map, object)
		if (!strncmp(bpf_map__name(map), name, BPF_OBJ_NAME_LEN - 1))
			return true;
	return false;
}

static bool is_our_program(const char *name)
{
	struct bpf_program *prog;

	if (!object)
		return false;
	bpf_object__for_each_program(prog, object)
		if (!strncmp(bpf_program__name(prog), name, BPF_OBJ_NAME_LEN - 1))
			return true;
	return false;
}

long syscall(long number, ...)
{
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	const union bpf_attr *attr = (const void *)args[1];

	if (number == __NR_bpf && args[0] == BPF_MAP_CREATE && is_our_map(attr->map_name)) {
		long fd = kernel(number, args);

		return fd < 0 && errno == EINVAL ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fd;
	}
	/* no pin is looked for or left behind */
	if (number == __NR_bpf && args[0] == BPF_OBJ_PIN)
		return 0;
	if (number == __NR_bpf && args[0] == BPF_OBJ_GET) {
		errno = ENOENT;
		return -1;
	}
	if (number != __NR_bpf || args[0] != BPF_PROG_LOAD || !is_our_program(attr->prog_name))
		return kernel(number, args);
	if (first_program)
		print_object();
	printf("%s{\"name\":\"%s\",\"insns\":", first_program ? "" : ",", attr->prog_name);
	first_program = false;
	print_hex((const void *)attr->insns, (size_t)attr->insn_cnt * 8);
	print_words("funcs", attr->func_info, attr->func_info_cnt, attr->func_info_rec_size);
	print_words("lines", attr->line_info, attr->line_info_cnt, attr->line_info_rec_size);
	printf("}");
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* libbpf matches names with a final slash or plus as prefixes, and everything else exactly */
static int handle_exactly(const char *section, enum bpf_prog_type type, enum bpf_attach_type attach)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts);

	return libbpf_register_prog_handler(section, type, attach, &opts);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	const char *only = getenv("ONLY"), *absent = getenv("ABSENT");
	struct bpf_map *map;
	struct bpf_program *prog;
	struct bpf_object *probe;
	int error;

	if (argc != 3) {
		fprintf(stderr, "usage: %s FILE NAME\n", argv[0]);
		return 2;
	}
	opts.object_name = argv[2];
	opts.kconfig = getenv("KCONFIG_TEXT");
	opts.btf_custom_path = getenv("TARGET_BTF");
	probe = bpf_object__open_file(argv[1], &opts);
	if (!probe) {
		fprintf(stderr, "open: %s\n", strerror(errno));
		return 1;
	}
	bpf_object__for_each_program(prog, probe) {
		const char *section = bpf_program__section_name(prog);
		enum bpf_prog_type type = bpf_program__type(prog);

		if (strcmp(section, ".text"))
			handle_exactly(section, type ? type : BPF_PROG_TYPE_RAW_TRACEPOINT, bpf_program__expected_attach_type(prog));
	}
	bpf_object__close(probe);

	object = bpf_object__open_file(argv[1], &opts);
	if (!object)
		return 1;
	bpf_object__for_each_program(prog, object)
		bpf_program__set_autoload(prog, !only || !strcmp(only, bpf_program__name(prog)));
	bpf_object__for_each_map(map, object)
		if (absent && !strcmp(absent, bpf_map__name(map)))
			bpf_map__set_autocreate(map, false);
	printf("{");
	error = bpf_object__load(object);
	printf("%s\"error\":%d}\n", first_program ? "" : "],", error);
	return 0;
}
