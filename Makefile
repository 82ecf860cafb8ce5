# claude-proxy: `make help` lists the targets.

BUILD    ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
PREFIX   ?= /usr/local
comma    := ,
VERSION  := 0.2.0
release  := claude-proxy-$(VERSION)

LIBRARIES = fcgi libcurl json-c sqlite3 libuv
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
HARDENING = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -O1,\
            -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2)
# Of these options, those that the linker here takes.
HARDENED_LINK = -pie -Wl,-z,relro,-z,now
CFLAGS   ?= -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(HARDENING) -fPIE -pthread $(WARNINGS) $(CFLAGS) \
            -Ifcgi -Icli -I$(BUILD) $(shell pkg-config --cflags $(LIBRARIES))
ALL_LDFLAGS = $(hardened_link) -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(rpath) $(LDFLAGS)
LDLIBS    = $(shell pkg-config --libs $(LIBRARIES))

shared   := $(wildcard $(addprefix fcgi/,base/*.c base/*/*.c store/*.c upstream/*.c translate/*.c translate/*/*.c translate/*/*/*.c))
responder := $(wildcard fcgi/*.c fcgi/http/*.c fcgi/proxy/*.c fcgi/proxy/*/*.c)
admin    := $(wildcard cli/*.c cli/*/*.c)
units    := $(wildcard tests/unit/test_*.c)
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))
programs := $(BUILD)/claude-proxy.fcgi $(BUILD)/claude-proxy-admin
bundled  := $(programs:$(BUILD)/%=$(BUILD)/bundle/%)
unit_programs := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(units))
bench_programs := $(addprefix $(BUILD)/bench/,load stand_in limit)
fuzz_programs := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

taken = $(shell echo 'int main(void) { return 0; }' | $(CC) -fPIE -Werror $(1) -x c -o /dev/null - 2>/dev/null && echo $(1))
# Looked up when a program is linked, and once.
hardened_link = $(eval hardened_link := $(foreach option,$(HARDENED_LINK),$(call taken,$(option))))$(hardened_link)

# Each step in a few words; `make V=1` shows the commands, `make -s` nothing.
hide := $(if $(V),,@)
step  = @$(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-5s %s\n') $(1)
link  = $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# The packages come first where one command is to be all it takes.
ifneq ($(filter run demo test test-clients bench dev,$(MAKECMDGOALS)),)
packages_first := packages
else
packages_first := packages_there
endif

all: $(programs)                ## build both programs (the default)

$(filter %.fcgi,$(programs) $(bundled)): $(BUILD)/fcgi/main.o $(BUILD)/responder.a $(BUILD)/shared.a
$(filter %-admin,$(programs) $(bundled)): $(BUILD)/cli/main.o $(BUILD)/admin.a $(BUILD)/shared.a
# A bundle's libraries look beside the program, too: that is RPATH; RUNPATH would count for the program alone.
$(bundled): rpath := -Wl,-rpath,'$$ORIGIN/lib' -Wl,--disable-new-dtags
$(programs) $(bundled):
	@mkdir -p $(@D)
	$(call step,LINK $@)
	$(hide)$(link)

# What the programs and their tests share is linked from archives.
$(BUILD)/shared.a: $(call objects,$(shared))
$(BUILD)/responder.a: $(call objects,$(filter-out fcgi/main.c,$(responder)))
$(BUILD)/admin.a: $(call objects,$(filter-out cli/main.c,$(admin)))
$(BUILD)/%.a:
	$(call step,AR $@)
	$(hide)rm -f $@ && $(AR) qcs $@ $^

$(BUILD)/%.o: %.c | $(BUILD)/schema.h $(packages_first)
	@mkdir -p $(@D)
	$(call step,CC $<)
	$(hide)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A string for each version: what stands below `-- Version N.`; the first one begins the file.
$(BUILD)/schema.h: schema.sql
	@mkdir -p $(@D)
	@awk -v q='"' 'BEGIN { n = 1; print "#pragma GCC diagnostic ignored " q "-Woverlength-strings" q; print "static const char *const schema_versions[] = {" } \
		/^-- Version [0-9]+\./ { if ($$3 + 0 != ++n) { print "schema.sql: this must be version " n ": " $$0 >"/dev/stderr"; exit 1 } print "," } \
		{ gsub(/[\\"]/, "\\\\&"); print q $$0 "\\n" q } END { print "};" }' $< >$@.new && mv $@.new $@

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/responder.a $(BUILD)/shared.a
	@mkdir -p $(@D)
	$(call step,LINK $@)
	$(hide)$(link) $(shell pkg-config --libs cmocka)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/bench/pace.o
	@mkdir -p $(@D)
	$(call step,LINK $@)
	$(hide)$(link)

$(BUILD)/hostile/loop_hold.so: tests/hostile/loop_hold.c
	@mkdir -p $(@D)
	$(call step,LINK $@)
	$(hide)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O2 -shared -fPIC -o $@ $<

# A target comes before the archives: what it defines takes the place of theirs.
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/admin.a $(BUILD)/responder.a $(BUILD)/shared.a
	@mkdir -p $(@D)
	$(call step,LINK $@)
	$(hide)$(link) -fsanitize=fuzzer

run: all                        ## serve on PORT with lighttpd in the foreground
	@fcgi/deploy/run.sh $(BUILD)

demo: all                       ## prove the main job on a stand-in upstream
	@/usr/bin/python3 tests/demo.py $(BUILD)

dev: all                        ## serve, rebuild and restart when a source changes
	@fcgi/deploy/run.sh --watch $(BUILD)

ifdef SUITE
test test-clients:
	@tests/suite.sh $(SUITE) $@ $(foreach name,SANITIZE QUICK,$(if $($(name)),$(name)=$($(name))))
else
# SUITE=trixie: in a bare root of that Debian suite.  QUICK=1: without the slow tests.
test: all unit_programs bench_programs $(BUILD)/hostile/loop_hold.so ## every test: units, integration through web servers, clients
	@tests/run.sh $(BUILD)

test-clients: all               ## real clients alone: Claude Code, the official SDK, the AI SDK
	@tests/run.sh $(BUILD) clients
endif

unit_programs: $(unit_programs)
bench_programs: $(bench_programs)
fuzz_programs: $(fuzz_programs)

lint:                           ## warnings as errors, clang-tidy, cppcheck, format, shellcheck
	@tests/lint.sh

fuzz: packages                  ## fuzz the parsers for FUZZ_SECONDS each (default 60)
	@tests/fuzz/run.sh

# WORKLOADS="W2b W7" FRONT="lighttpd nginx" QUICK=1 ROUNDS=3
bench: all bench_programs       ## a load test, beside the least that a responder can do
	@/usr/bin/python3 tests/bench/bench.py $(BUILD) $(if $(QUICK),--quick) $(if $(WORKLOADS),--workloads $(WORKLOADS)) \
		$(if $(FRONT),--front $(FRONT)) $(if $(ROUNDS),--rounds $(ROUNDS))

install: all                    ## install to $(DESTDIR)$(PREFIX)
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' fcgi/deploy/install.sh install $(BUILD)

uninstall:                      ## remove what install made
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' fcgi/deploy/install.sh uninstall $(BUILD)

dist:                           ## a source tarball in $(BUILD): the same from the same commit
	@mkdir -p $(BUILD)
	$(call step,TAR $(BUILD)/$(release).tar.gz)
	$(hide)git -c tar.umask=0022 archive --prefix=$(release)/ -o $(BUILD)/$(release).tar HEAD
	$(hide)gzip -9nf $(BUILD)/$(release).tar

# STATIC=1: with the C library, for hosts of any age.
bundle: $(bundled)              ## a tarball for shared hosting: programs with their libraries
	@STATIC='$(STATIC)' fcgi/deploy/bundle.sh $(BUILD) $(VERSION)

deb: packages                   ## a Debian package in $(BUILD)
	@fcgi/deploy/deb.sh $(BUILD) $(VERSION)

release:                        ## a release of this commit: its files in $(BUILD)/release, and its tag
	@fcgi/deploy/release.sh check $(VERSION)
	@$(MAKE) --no-print-directory dist bundle deb
	@$(MAKE) --no-print-directory bundle STATIC=1
	@fcgi/deploy/release.sh tag $(BUILD) $(VERSION)

packages:                       ## install the system packages that are missing
	@fcgi/deploy/packages.sh $(MAKECMDGOALS)

# Nothing is installed by make alone: it tells which packages are missing, and stops.
packages_there:
	@fcgi/deploy/packages.sh --check

clean:                          ## remove what was built
	rm -rf build build-*

help:                           ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 20

.PHONY: all run demo dev test test-clients unit_programs bench_programs fuzz_programs lint fuzz bench install uninstall dist bundle deb release packages packages_there clean help
.SECONDARY:
-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
