# Run `make help` for the list of targets; plain `make` builds the program.
.DEFAULT_GOAL := build
BUILD    ?= build
PREFIX   ?= /usr/local
MANDIR   ?= $(PREFIX)/share/man
PYTHON   ?= /usr/bin/python3
VERSION  := $(shell cat VERSION)
# Names what is in /tmp: two checkouts may test at the same time.
CHECKOUT := $(shell echo $(CURDIR) | cksum | cut -d ' ' -f 1)
# PID 1 waits nearly always: small counts more than fast.
CFLAGS   ?= -Os -g
CPPFLAGS += -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DTWINIT_VERSION='"$(VERSION)"' -MMD -MP
WARNINGS := -Wall -Wextra -Wshadow -Wswitch-enum -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
HARDEN   := -fstack-protector-strong -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections
# Not with sanitizers or at -O0, where the library's checks do nothing but warn.
FORTIFY  ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LINK     ?= -static-pie -Wl,--no-eh-frame-hdr,-T,src/discard.ld $(RELR)
# Relocations in a twentieth of the room, where the C library that is linked in knows them (glibc 2.36).
RELR     := $(shell echo '__GLIBC__ __GLIBC_MINOR__' | $(CC) -include features.h -E -P - 2>/dev/null | \
              awk '$$1 == 2 && $$2 >= 36 { print "-Wl,-z,pack-relative-relocs" }')
# `make V=1` shows the whole commands.
Q        := $(if $(V),,@)
LIBS     := -linih -lhiredis -ljansson -lcap
# TLS=1: session stores behind TLS are asked too (libssl-dev); linked with the system's libraries.
ifdef TLS
CPPFLAGS += -DTWINIT_TLS
LIBS     += -lssl -lcrypto
LINK     := -pie
endif

# Every source file except main.c: the program and all tests link this.  src/policy is run, not linked.
CORE_SRC := $(sort $(filter-out src/policy/%,$(wildcard src/*/*.c)))
POLICY   := $(wildcard src/policy/*.[ch])
# For which architecture, and by whom: make CC=aarch64-linux-gnu-gcc
HOSTCC   ?= cc
ARCH     := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
CORE     := $(patsubst %.c,$(BUILD)/%.o,$(CORE_SRC))
TESTS    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/*/test_*.c)))

##@ Use it
build: $(BUILD)/twinit ## build the program, one static file: build/twinit

# A make of its own builds: what this one knows of the compiler it asked before there was one.
up: ## run the sample site: Redis, nginx, twinit and php-fpm, in the foreground
	@tools/deps --up
	@$(MAKE) -s --no-print-directory build
	@$(PYTHON) tools/up

stress: ## ask the site of `make up` without a pause, S seconds (60): dots, or the first failure in full
	@$(PYTHON) tools/stress $(or $(S),60)

deps: ## install what building and testing need and is missing (Debian, Ubuntu)
	@tools/deps

install: build ## install program (stripped) and man pages to $(DESTDIR)$(PREFIX)
	install -D -s -m 0755 $(BUILD)/twinit $(DESTDIR)$(PREFIX)/sbin/twinit
	install -D -m 0644 doc/man/twinit.8 $(DESTDIR)$(MANDIR)/man8/twinit.8
	install -D -m 0644 doc/man/twinit.conf.5 $(DESTDIR)$(MANDIR)/man5/twinit.conf.5

uninstall: ## remove what `make install` put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/twinit $(DESTDIR)$(MANDIR)/man8/twinit.8 $(DESTDIR)$(MANDIR)/man5/twinit.conf.5

##@ Test it
test: deps ## install what is missing, then the tiers unit, system and integration
	@tools/test

test-docker: deps ## install what is missing, then the docker tier: images, compose, swarm (root, minutes)
	@tools/deps --docker
	@tools/test docker

test-all: deps ## all tiers
	@tools/deps --docker
	@tools/test unit arm64 system integration torture phpt soak docker

test-ci: deps ## all tiers, integration with the sanitized binary, system with both
	$(MAKE) build-asan
	@tools/deps --docker
	@$(WITH_ASAN) tools/test unit arm64 system system-asan integration-asan torture phpt soak docker

check-programs: $(TESTS)

check: $(TESTS) ## unit tests (seconds; a few run as root only)
	@for t in $^; do timeout -v 120 $$t || exit 1; done

check-system: build ## the binary as PID 1 with stub masters (root)
	$(PYTHON) -m pytest tests/system

check-integration: build ## real php-fpm, nginx and Redis (root, minutes)
	$(PYTHON) -m pytest tests/integration

check-phpt: build $(BUILD)/tests/support/confined ## PHP's own tests, plainly and confined: a part; PHPT=--all: all (root)
	$(PYTHON) tests/phpt/run --build $(BUILD) $(PHPT)

torture: ## calls fail, one by one: boot, rolls, commands, stop (root, minutes; ALL=1: an hour)
	@tools/test torture

soak: build ## chaos for a while: make soak MINUTES=60 SEED=1 (root; 2 minutes and a new seed unless told)
	@$(PYTHON) -B tests/soak/soak.py $(or $(MINUTES),2) $(SEED)

# The sanitizers' reports, of any process and user; a test that leaves one has failed (tests/conftest.py).
REPORTS   := /tmp/twinit-reports-$(CHECKOUT)
# What sanitizers and valgrind ask of the system, in helpers too, which may make few calls.
INSTRUMENT_CALLS := sigaltstack openat read write close readlink fstat newfstatat lseek mmap munmap mprotect madvise getpid \
                    gettid getppid tgkill tkill kill prlimit64 rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait \
                    pipe pipe2 dup dup2 sched_yield futex uname fcntl exit_group
SANITIZED := BUILD=$(BUILD)/asan FORTIFY= CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -DREPORTS=$(REPORTS) -DADDRESSES_UNLIMITED' \
             POLICY_EXTRA='$(INSTRUMENT_CALLS)'
WITH_ASAN := rm -rf $(REPORTS); REPORTS=$(REPORTS) SANITIZED_TWINIT=$(CURDIR)/$(BUILD)/asan/twinit
check-asan: ## unit tests with AddressSanitizer and UBSan
	$(MAKE) check $(SANITIZED)

build-asan:
	$(MAKE) build $(SANITIZED) LINK='-pie -static-libasan -static-libubsan' EXTRA=$(BUILD)/asan/tests/support/sanitized.o

check-system-asan: build-asan ## the system tier with the sanitized binary as PID 1
	@$(WITH_ASAN) tools/test system-asan

check-integration-asan: build-asan ## the integration tier with the sanitized binary as PID 1
	@$(WITH_ASAN) tools/test integration-asan

# Valgrind knows no seccomp(2) and pidfd_open(2), cannot exec /proc/self/exe or go on when exec fails, and keeps the last
# signal and some descriptors for itself.
NO_VALGRIND := confine/test_filter process/test_spawn process/test_ask loop/test_signals confine/test_rlimits \
	control/test_server question/test_checkup question/test_notify
UNDER_VALGRIND := BUILD=$(BUILD)/valgrind FORTIFY= CFLAGS='-O0 -g -DADDRESSES_UNLIMITED' POLICY_EXTRA='$(INSTRUMENT_CALLS)'
check-valgrind: ## unit tests with valgrind: no leak, no error (a minute)
	$(MAKE) check-memory $(UNDER_VALGRIND)

check-system-valgrind: ## rolls and stops of the system tier with PID 1 and its helpers under valgrind (root, minutes)
	$(MAKE) build $(UNDER_VALGRIND) LINK=-pie
	rm -rf $(REPORTS); REPORTS=$(REPORTS) TWINIT=$(CURDIR)/$(BUILD)/valgrind/twinit \
	UNDER='valgrind -q --suppressions=$(CURDIR)/tests/valgrind.supp --leak-check=full --log-file=$(REPORTS)/%p' \
	$(PYTHON) -m pytest tests/system/test_roll.py tests/system/test_stop.py

check-memory: $(filter-out $(NO_VALGRIND:%=$(BUILD)/tests/unit/%),$(TESTS))
	@for t in $^; do \
		valgrind -q --suppressions=tests/valgrind.supp --error-exitcode=99 --leak-check=full \
		         --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect $$t || exit 1; \
	done

# Tests exec into other programs as other users, who may not write counters: no builtin execve, or gcc
# writes them just before.
coverage: ## lines that the unit tests run, by folder; fails unless it is all of config, rollout and doctor
	rm -rf $(BUILD)/coverage
	$(MAKE) check CC=gcc BUILD=$(BUILD)/coverage FORTIFY= CFLAGS='-O0 -g --coverage -fno-builtin-execve'
	@tools/coverage $(BUILD)/coverage config rollout doctor

# Counters are in files that are mapped and shared (%c): what a child, another user or somebody killed did counts too.
# Others than root could not make the files, so they are there before.
COUNTERS := /tmp/twinit-counters-$(CHECKOUT)
COUNTED  := CC=clang BUILD=$(BUILD)/counted FORTIFY= LINK=-pie CFLAGS='-O0 -g -fcoverage-mapping \
            -fprofile-instr-generate=$(COUNTERS)/%m%c.profraw -mllvm -runtime-counter-relocation=true'
coverage-all: ## lines that the tiers unit, system and integration run (root, half an hour; TIERS="system/test_boot.py")
	@tools/deps --checks
	rm -rf $(COUNTERS)
	mkdir -m 0777 $(COUNTERS)
	$(MAKE) check build $(COUNTED)
	$(BUILD)/counted/twinit version
	chmod 0666 $(COUNTERS)/*
	status=0; for tier in $(or $(TIERS),system integration); do \
		TWINIT=$(CURDIR)/$(BUILD)/counted/twinit $(PYTHON) -m pytest -q tests/$$tier || status=1; \
	done; \
	tools/coverage-all $(BUILD)/counted $(COUNTERS) && exit $$status

fuzz: ## one fuzz target for S seconds (clang): make fuzz T=status S=60
	@tools/fuzz run $(T) $(or $(S),60)

fuzz-all: ## every fuzz target for S seconds each, two at a time; fails when one finds something
	@tools/fuzz all $(or $(S),60)

fuzz-coverage: ## lines that the seeds of T (or of every target) run; fails below 90 % of a module
	@tools/fuzz coverage $(T)

# What tools/fuzz runs, with objects of its own.  A target that defines __wrap_connect() is called
# in the place of connect().
FUZZERS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SAN := address,undefined -fno-sanitize-recover=all -fprofile-instr-generate
fuzz-programs:
	@$(MAKE) BUILD=$(BUILD)/fuzz CC=clang FORTIFY= fuzzers \
	         CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -fcoverage-mapping'

fuzzers: $(FUZZERS)

$(BUILD)/core.a: $(CORE)
	$(Q)rm -f $@ && $(AR) rcsT $@ $^

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/core.a
	$(Q)$(CC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(LIBS) \
	    $$(nm $< | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')

check-clang: ## everything compiles with clang, warnings as errors
	$(MAKE) BUILD=$(BUILD)/clang CC=clang objects

objects: $(CORE) $(BUILD)/src/main.o

bench: deps ## measure against what else runs php-fpm (root, two hours; QUICK=1: 20 minutes; BENCH="lost wait")
	@$(MAKE) -s --no-print-directory build
	@tools/deps --bench
	$(PYTHON) bench/run $(if $(QUICK),--quick) $(BENCH)

##@ Look after the code
format: ## rewrite the sources with clang-format
	git ls-files '*.[ch]' | xargs clang-format -i

format-check: ## fail if `make format` would change something
	git ls-files '*.[ch]' | xargs clang-format --dry-run --Werror

man: build ## write the tables of doc/man anew: from README.md, `twinit help` and the parser
	@tools/man $(BUILD)/twinit

layers: ## show which folder includes which, and what points upward
	@tools/layers

# What gcc can say beyond WARNINGS.  Its analyzer takes memory for lost that a struct of the caller holds
# (gcc 12): sanitizers and valgrind look for leaks.
ANALYZE  := -fanalyzer -Wno-analyzer-malloc-leak -Wconversion -Wlogical-op -Wduplicated-cond -Wduplicated-branches \
            -Wnull-dereference -Wformat-overflow=2 -Wundef -Wredundant-decls -Wpointer-arith -Wold-style-definition \
            -Walloca -Wstack-usage=65536
analyze: ## static analysis: gcc -fanalyzer, clang-tidy, cppcheck, shellcheck (a minute)
	@tools/deps --checks
	$(MAKE) objects CC=gcc BUILD=$(BUILD)/analyze CFLAGS='-O2 $(ANALYZE)'
	BUILD=$(BUILD)/analyze tools/analyze cppcheck
	tools/analyze shellcheck
	BUILD=$(BUILD)/analyze tools/analyze clang-tidy

ARM64_LIBS := $(BUILD)/arm64/libraries
arm64: ## cross-build the program for arm64: build/arm64/twinit
	@tools/deps --arm64
	@tools/libraries arm64 $(ARM64_LIBS)
	$(MAKE) build emulated BUILD=$(BUILD)/arm64 CC=aarch64-linux-gnu-gcc CFLAGS='-Os -g -isystem $(ARM64_LIBS)/usr/include' \
	        LDFLAGS=-L$(ARM64_LIBS)/usr/lib/aarch64-linux-gnu
	@READELF=aarch64-linux-gnu-readelf NM=aarch64-linux-gnu-nm tools/hardening $(BUILD)/arm64/twinit \
	        $(CORE_SRC:%.c=$(BUILD)/arm64/%.o) $(BUILD)/arm64/src/main.o

check-arm64: ## build for arm64, then a smoke test under qemu (root)
	@tools/test arm64

check-hardening: build ## how build/twinit is protected: PIE, RELRO, stack, no writable code
	@tools/hardening --self-test
	@tools/hardening $(BUILD)/twinit $(CORE) $(BUILD)/src/main.o
	@echo 'static PIE, RELRO, BIND_NOW, no memory that is writable and executable, stack and sizes checked'

shape: ## show the longest files, functions and lines, and fail on what is too long
	@tools/shape

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } \
	      /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	      /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# EXTRA: objects for builds that are to be looked into.
$(BUILD)/twinit: $(BUILD)/src/main.o $(CORE) $(EXTRA) src/discard.ld
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -Wl,--gc-sections,-z,relro,-z,now -o $@ $(filter %.o,$^) $(LIBS)

# For qemu, which has no syscall filters.
emulated: $(BUILD)/emulated/twinit
$(BUILD)/emulated/twinit: $(BUILD)/tests/support/unfiltered.o $(BUILD)/src/main.o $(CORE) src/discard.ld
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=prctl -o $@ $(filter %.o,$^) $(LIBS)

# The same objects, with wrappers around the functions of calls.def.
WRAPPED := $(shell awk -F '[\x28,]' '/^CALL/ { print $$2 }' tests/torture/calls.def) helper_start spawn_start program_run program_begin
$(BUILD)/torture/twinit: $(BUILD)/tests/torture/wrap.o $(BUILD)/src/main.o $(CORE) src/discard.ld
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(CORE)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -lseccomp $(LIBS)

# The syscall filters: src/policy prints them as C.
$(BUILD)/gen/compile: $(POLICY)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -Isrc -D_GNU_SOURCE -O1 $(WARNINGS) -o $@ $(filter %.c,$^) -lseccomp

$(BUILD)/gen/policies.h: $(BUILD)/gen/compile $(BUILD)/gen/wanted
	$(Q)$< $(ARCH) $(POLICY_EXTRA) >$@.new && mv $@.new $@

# Another one only when something else is wanted.
$(BUILD)/gen/wanted: always
	@mkdir -p $(@D)
	$(Q)echo '$(ARCH) $(POLICY_EXTRA)' | cmp -s - $@ || echo '$(ARCH) $(POLICY_EXTRA)' >$@

$(BUILD)/src/confine/filter.o: $(BUILD)/gen/policies.h

$(BUILD)/%.o: %.c VERSION
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) -std=gnu17 $(CPPFLAGS) $(FORTIFY) $(HARDEN) -fPIE $(CFLAGS) $(WARNINGS) -c -o $@ $<

.PHONY: build up stress deps install uninstall man test test-docker test-all test-ci check check-programs check-system check-integration \
        check-phpt torture check-asan build-asan check-system-asan check-integration-asan check-valgrind check-system-valgrind \
        check-memory check-clang analyze arm64 emulated check-arm64 check-hardening shape coverage coverage-all bench fuzz fuzz-all \
        fuzz-coverage fuzz-programs fuzzers \
        soak objects format format-check layers clean help always
.SECONDARY:
-include $(shell find $(BUILD) -path $(BUILD)/phpt -prune -o -name '*.d' -print 2>/dev/null)
