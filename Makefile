# Cloche: build, test, install. `make help` lists the targets. Everything made lies in build/.

B := build
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
VMLINUX_H ?= $(B)/bpf/vmlinux.h
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Werror
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DCLOCHE_VERSION='"$(VERSION)"' \
	-DCLOCHE_PREFIX='"$(PREFIX)"' $(WARN) $(HARDEN) -I. -I$(B) $(CFLAGS)
LDFLAGS ?= -Wl,-z,relro,-z,now -pie

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# A room's sources are all its .c files but main.c, which belong to one program each, and
# supervisor/init, which is freestanding.
SUPERVISOR_SRC := $(filter-out %/main.c supervisor/init/%,$(wildcard supervisor/*/*.c supervisor/*/*/*.c))
API_SRC := $(filter-out %/main.c,$(wildcard api/*/*.c))
CLI_SRC := $(filter-out %/main.c,$(wildcard tools/cloche/*.c tools/policy/*.c tools/policy/*/*.c))
VERIFY_SRC := $(filter-out %/main.c,$(wildcard tools/verify/*.c tools/verify/*/*.c))
INIT_SRC := $(wildcard supervisor/init/*.c)
BPF_SRC := $(wildcard bpf/*.bpf.c)
HARNESS_SRC := $(wildcard tests/harness/*.c)
UNIT_SRC := $(wildcard tests/unit/test-*.c tests/table/test-*.c)
ROOT_SRC := $(wildcard tests/bpf/test-*.c tests/system/test-*.c)
PROBE_SRC := $(wildcard tests/probe/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz-*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))
PROGRAMS := $(B)/cloched $(B)/cloche-api $(B)/cloche-gate $(B)/cloche-export $(B)/cloche-init \
	$(B)/cloche $(B)/cloche-verify
UNIT_BIN := $(patsubst %.c,$(B)/%,$(UNIT_SRC))
ROOT_BIN := $(patsubst %.c,$(B)/%,$(ROOT_SRC))
PROBE_BIN := $(patsubst %.c,$(B)/%,$(PROBE_SRC))
BENCH_BIN := $(patsubst %.c,$(B)/%,$(BENCH_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))

SUPERVISOR_LIBS := -lbpf -lelf -lz -lseccomp -lcap -ljansson -lsqlite3 -lcrypto -lldns -lidn2 -lpsl -lm
GATE_LIBS := -lseccomp -lcap -lldns
API_LIBS := -lmicrohttpd -ljansson -lz -lseccomp -lcap
EXPORT_LIBS := -lcurl -ljansson -lldns -lcrypto -lseccomp -lcap
CLI_LIBS := -lcurl -ljansson -lcrypto -lseccomp -lidn2 -lpsl -lm
VERIFY_LIBS := -lcrypto

.PHONY: all deps demo test test-vm bench fuzz lint install uninstall clean help check-build
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

help:
	@sed -n 's/^## //p' Makefile

## make            build everything into build/
## make deps       install what building and testing need (Debian packages; needs root)
deps:
	$(Q)tools/deps

## make demo       show what Cloche does, end to end (needs root; installs, builds)
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo

## make test       run all rings; T=word runs the tests whose name has that word
test: deps
	$(Q)$(MAKE) --no-print-directory check-build fuzzers
	$(Q)tests/run $(T)

check-build: all $(UNIT_BIN) $(ROOT_BIN) $(PROBE_BIN) $(BENCH_BIN)

## make test-vm    what a kernel can break, under Debian's 6.12 and 6.1 in QEMU; K="6.1" for some
test-vm: deps
	$(Q)tests/vm/deps
	$(Q)$(MAKE) --no-print-directory check-build
	$(Q)tests/vm/run $(K)

## make bench      measure beside bwrap, crun and plain veth; leaves build/bench/results.json (needs root)
bench: deps
	$(Q)$(MAKE) --no-print-directory check-build
	$(Q)tests/bench/run

## make fuzz       run each fuzzer for FUZZ_SECONDS (60); the fuzz ring of tests runs them for 3
FUZZ_SECONDS ?= 60
fuzz: deps
	$(Q)$(MAKE) --no-print-directory fuzzers
	$(Q)B=$(B) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run

.PHONY: fuzzers
fuzzers: $(FUZZ_BIN)

## make lint       format, room directions, cppcheck, policies, shell scripts
lint:
	$(Q)tools/lint

## make install    PREFIX=/usr/local DESTDIR=; make uninstall takes it away again
install: all
	$(Q)tools/install "$(DESTDIR)" "$(PREFIX)" $(B)

uninstall:
	$(Q)tools/install --remove "$(DESTDIR)" "$(PREFIX)" $(B)

clean:
	$(Q)rm -rf $(B)

# ---- kernel programs: compiled one by one, linked into one object, made into one skeleton
$(B)/bpf/vmlinux.h:
	$(call say,BTF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@

BPF_CFLAGS := -std=gnu17 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -D__BPF__ -Wall -Wextra \
	-Wno-missing-declarations -Wno-unused-parameter -Werror -I. -I$(dir $(VMLINUX_H))

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(VMLINUX_H)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# The file that defines the maps comes first: libbpf 1.1 misplaces a map that it meets as extern before.
$(B)/bpf/cloche.linked.o: $(B)/bpf/maps.bpf.o \
		$(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(filter-out bpf/maps.bpf.c,$(BPF_SRC)))
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/bpf/cloche.skel.h: $(B)/bpf/cloche.linked.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name cloche_bpf > $@

# ---- host code
$(B)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

ifneq ($(BPF_SRC),)
$(call obj,$(wildcard supervisor/enforce/*.c)) $(call obj,$(ROOT_SRC)): $(B)/bpf/cloche.skel.h
endif

$(B)/libsupervisor.a: $(call obj,$(SUPERVISOR_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/libapi.a: $(call obj,$(API_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/libcli.a: $(call obj,$(CLI_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/libverify.a: $(call obj,$(VERIFY_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/libharness.a: $(call obj,$(HARNESS_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

link = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

$(B)/cloched: $(B)/supervisor/control/main.o $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(SUPERVISOR_LIBS)

$(B)/cloche-gate: $(B)/supervisor/gate/main.o $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(GATE_LIBS)

$(B)/cloche-api: $(B)/api/http/main.o $(B)/libapi.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(API_LIBS)

$(B)/cloche-export: $(B)/api/export/main.o $(B)/libapi.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(EXPORT_LIBS)

$(B)/cloche: $(B)/tools/cloche/main.o $(B)/libcli.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(CLI_LIBS)

# Nothing of the supervisor is in it.
$(B)/cloche-verify: $(B)/tools/verify/main.o $(B)/libverify.a
	$(call say,LD,$@)
	$(link) $(VERIFY_LIBS)

# PID 1 of every sandbox: no libc, no start files, nothing but itself.
INIT_CFLAGS := -std=gnu17 $(WARN) -Os -ffreestanding -fno-stack-protector -fno-pic -fno-pie \
	-fno-asynchronous-unwind-tables -fomit-frame-pointer -ffunction-sections -I.
$(B)/cloche-init: $(INIT_SRC) $(wildcard supervisor/init/*.h) supervisor/wire/init.h \
		supervisor/wire/frame.h
	$(call say,INIT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(INIT_CFLAGS) -nostdlib -static -s -Wl,--gc-sections -Wl,-z,norelro \
		-Wl,--build-id=none -Wl,-z,noseparate-code -o $@ $(INIT_SRC)

# ---- tests
# A test links the program that it is about: names repeat between programs.
$(B)/tests/unit/test-api-%: $(B)/tests/unit/test-api-%.o $(B)/libharness.a $(B)/libapi.a \
		$(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(API_LIBS)

$(B)/tests/unit/test-export-%: $(B)/tests/unit/test-export-%.o $(B)/libharness.a $(B)/libapi.a \
		$(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(API_LIBS) $(EXPORT_LIBS)

$(B)/tests/unit/test-cli-%: $(B)/tests/unit/test-cli-%.o $(B)/libharness.a $(B)/libcli.a \
		$(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(CLI_LIBS)

$(B)/tests/unit/test-verify-%: $(B)/tests/unit/test-verify-%.o $(B)/libharness.a $(B)/libverify.a
	$(call say,LD,$@)
	$(link) $(VERIFY_LIBS)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(SUPERVISOR_LIBS)

$(B)/tests/table/%: $(B)/tests/table/%.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(SUPERVISOR_LIBS)

$(B)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c $(VMLINUX_H)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(B)/tests/bpf/test-pairs: | $(B)/tests/bpf/pairs.bpf.o
$(B)/tests/bpf/%: $(B)/tests/bpf/%.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(SUPERVISOR_LIBS)

$(B)/tests/system/%: $(B)/tests/system/%.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) $(SUPERVISOR_LIBS)

# Probes are sent into sandboxes and run there: static, one file each.
$(B)/tests/probe/%: tests/probe/%.c
	$(call say,PROBE,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O2 -static -I. -o $@ $<

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) -ljansson -lcrypto -lidn2 -lpsl

$(B)/tests/bench/audit-rate: $(B)/tests/bench/audit-rate.o $(B)/libharness.a $(B)/libsupervisor.a
	$(call say,LD,$@)
	$(link) -lcrypto -ljansson

# Fuzzers: the rooms that read what strangers send, built once more, by clang with its sanitizers.
FUZZED_SRC := $(wildcard supervisor/base/*.c supervisor/inspect/*.c supervisor/resolve/*.c \
	supervisor/policy/*.c supervisor/policy/*/*.c supervisor/digest/*.c) \
	$(wildcard api/ocsf/*.c api/text/*.c) supervisor/wire/strings.c \
	api/export/delivery.c api/export/syslog-message.c \
	$(wildcard supervisor/audit/*.c supervisor/audit/*/*.c supervisor/tlog/*.c)
FUZZ_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DCLOCHE_VERSION='"$(VERSION)"' $(WARN) -g -O1 -I. -fno-sanitize-recover=all

$(B)/fuzz/obj/%.o: %.c
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(B)/fuzz/librooms.a: $(patsubst %.c,$(B)/fuzz/obj/%.o,$(FUZZED_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/fuzz/libverify.a: $(patsubst %.c,$(B)/fuzz/obj/%.o,$(VERIFY_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/fuzz/fuzz-verify-%: $(B)/fuzz/obj/tests/fuzz/fuzz-verify-%.o $(B)/fuzz/libverify.a
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(VERIFY_LIBS)

$(B)/fuzz/fuzz-%: $(B)/fuzz/obj/tests/fuzz/fuzz-%.o $(B)/fuzz/librooms.a
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ -lldns -ljansson -lcrypto -lidn2 -lpsl

-include $(shell find $(B) -name '*.d' 2>/dev/null)
